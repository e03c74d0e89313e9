// The memory of a freshly started interpreter, kept in a file without a name; restoring it is five times faster than starting.

import { spawn } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Launch } from "./launch.ts";

/** An open snapshot; the processes inherit the descriptor and need no permission to read files. */
export interface Snapshot {
  readonly fileDescriptor: number;
  close(): void;
}

/** The snapshot of an interpreter on this machine, or `undefined` when Pyodide cannot make one here. */
export async function createSnapshot(launch: Launch): Promise<Snapshot | undefined> {
  const folder = mkdtempSync(path.join(tmpdir(), "flacuna-sandbox-"));
  const file = path.join(folder, "snapshot.bin");
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    const exitCode = await writeSnapshot(launch, file);
    const fileDescriptor = openSync(file, "r");
    const isWritten = exitCode === 0 && fstatSync(fileDescriptor).size > 0;
    const close = () => {
      closeSync(fileDescriptor);
      if (process.platform === "win32") removeFolder();
    };
    if (isWritten) return { fileDescriptor, close };
    close();
    return undefined;
  } finally {
    if (process.platform !== "win32") removeFolder();
  }
}

async function writeSnapshot(launch: Launch, file: string): Promise<number | null> {
  const target = openSync(file, "wx", 0o600);
  const [executable, ...args] = launch.command;
  const child = spawn(executable, [...args, "snapshot", launch.pyodideFolder, "0", "0"], {
    env: {},
    stdio: ["ignore", target, "ignore"],
  });
  try {
    return await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  } finally {
    closeSync(target);
  }
}
