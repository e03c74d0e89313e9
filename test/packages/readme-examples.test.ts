// The first example of every README compiles and runs as it stands, from the packed packages in an empty folder.
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PUBLISHED_MEMBERS } from "../../tools/workspace.ts";
import { type InstalledPackages, installPackages, readExample } from "./installed-packages.ts";

const MAX_EXAMPLE_LINES = 15;
const INSTALL_TIMEOUT_MS = 240_000;
const EXAMPLE_TIMEOUT_MS = 60_000;

const NAMES = PUBLISHED_MEMBERS.map(({ folder }) => folder.replace("packages/", ""));

/** Examples that run until they are told to stop: what they print first, with a URL that must answer. */
const SERVERS: Readonly<Record<string, RegExp>> = { serve: /listening on (\S+)/ };

/** Any free port, so that a busy 8000 fails no test. */
const withFreePort = (example: string): string => example.replace(/port: 8000\b/, "port: 0");

interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  /** HTTP status of the server's model list; undefined for examples that are no server. */
  readonly status: number | undefined;
}

/** Runs an example to its end; a server is asked for its models and then stopped as a terminal would stop it. */
function run(name: string, folder: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["example.js"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), EXAMPLE_TIMEOUT_MS);
    let output = "";
    let request: Promise<number> | undefined;
    const onData = (chunk: Buffer) => {
      output += chunk;
      const url = SERVERS[name]?.exec(output)?.[1];
      if (url === undefined || request !== undefined) return;
      request = fetch(`${url}/v1/models`)
        .then(({ status }) => status)
        .finally(() => child.kill("SIGTERM"));
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      Promise.resolve(request).then((status) => resolve({ code, signal, output, status }), reject);
    });
  });
}

describe("first example of README.md", () => {
  let installed: InstalledPackages;

  beforeAll(() => {
    const examples = NAMES.flatMap((name) => {
      const example = readExample(name);
      return example === undefined ? [] : [[name, withFreePort(example)] as const];
    });
    installed = installPackages(new Map(examples));
  }, INSTALL_TIMEOUT_MS);

  afterAll(() => installed?.remove());

  it.each(NAMES)("of %s has at most fifteen lines", (name) => {
    const lines = readExample(name)?.trimEnd().split("\n");
    expect(lines, `packages/${name}/README.md has no ts block`).toBeDefined();
    expect(lines!.length).toBeLessThanOrEqual(MAX_EXAMPLE_LINES);
  });

  it.each(NAMES)("of %s compiles against the published types", (name) => {
    expect(installed.typeErrors.get(name)).toEqual([]);
  });

  it.each(NAMES)("of %s runs and exits with 0", { timeout: EXAMPLE_TIMEOUT_MS + 10_000 }, async (name) => {
    expect(installed.typeErrors.has(name), `packages/${name}/README.md has no ts block`).toBe(true);
    const { code, signal, output, status } = await run(name, installed.exampleFolder(name));
    expect({ code, signal, output }).toEqual({ code: 0, signal: null, output });
    expect(status).toBe(name in SERVERS ? 200 : undefined);
  });
});
