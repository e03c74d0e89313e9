import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { modelPath } from "../model-path.ts";
import { addFetch } from "./fetch.ts";

const COMMIT = "c0ffee00".repeat(5);
const FILES = { "config.json": "{}", "model.safetensors": "x".repeat(2000), "model.bin": "pickle" };

let root = "";
let hub: Server;
let shown = { stdout: "", stderr: "" };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flacuna-fetch-"));
  hub = createServer(({ url }, response) => {
    const file = /^\/maker\/model\/resolve\/\w+\/(.+)$/.exec(url!)?.[1];
    if (file !== undefined) return void response.end(FILES[file as keyof typeof FILES]);
    if (url!.includes("/revision/"))
      return void response.end(JSON.stringify({ id: "maker/model", sha: COMMIT }));
    const list = Object.entries(FILES).map(([path, text]) => {
      const oid = createHash("sha1").update(`blob ${text.length}\0${text}`).digest("hex");
      return { type: "file", path, size: text.length, oid };
    });
    response.end(JSON.stringify(list));
  });
  await new Promise<void>((resolve) => hub.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(hub.address() as AddressInfo).port}`);
  vi.stubEnv("HF_HUB_CACHE", join(root, "cache"));
  vi.stubEnv("HF_TOKEN", "hf_test");
  shown = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      shown[name] += String(text);
      return true;
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  hub.closeAllConnections();
  await new Promise((resolve) => hub.close(resolve));
  await rm(root, { recursive: true, force: true });
});

async function flacuna(...args: readonly string[]): Promise<void> {
  const program = new Command("flacuna").exitOverride();
  addFetch(program, new AbortController().signal);
  await program.parseAsync(["fetch", ...args], { from: "user" });
}

const snapshot = (): string => join(root, "cache/models--maker--model/snapshots", COMMIT);

describe("flacuna fetch", () => {
  it("prints the path of the model and nothing else on standard output", async () => {
    await flacuna("maker/model");
    expect(shown.stdout).toBe(`${snapshot()}\n`);
    expect((await readdir(snapshot())).sort()).toEqual(["config.json", "model.safetensors"]);
  });

  it("says in a dry run what would be brought, then what is here", async () => {
    await flacuna("maker/model", "--dry-run");
    expect(shown.stdout).toBe(
      `      2 B  config.json\n   2.0 kB  model.safetensors\n2.0 kB to bring, to ${snapshot()}\n`,
    );
    await flacuna("maker/model");
    shown.stdout = "";
    await flacuna("maker/model", "--dry-run");
    expect(shown.stdout).toBe(
      `      2 B  config.json  (here)\n   2.0 kB  model.safetensors  (here)\n0 B to bring, to ${snapshot()}\n`,
    );
  });

  it("prints facts as JSON", async () => {
    await flacuna("maker/model", "--json", "--dry-run");
    expect(JSON.parse(shown.stdout)).toEqual({
      model: "maker/model",
      origin: "hub",
      path: snapshot(),
      commit: COMMIT,
      notes: [],
      isDryRun: true,
      files: [
        { path: "config.json", sizeBytes: 2, presentBytes: 0 },
        { path: "model.safetensors", sizeBytes: 2000, presentBytes: 0 },
      ],
    });
  });

  it("puts the files in a folder of choice", async () => {
    await flacuna("maker/model", "--output", join(root, "here"));
    expect(shown.stdout).toBe(`${join(root, "here")}\n`);
    expect((await readdir(join(root, "here"))).sort()).toEqual(["config.json", "model.safetensors"]);
  });

  it("refuses a number of files at a time that is none", async () => {
    await expect(flacuna("maker/model", "--parallel", "many")).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
    });
  });
});

describe("modelPath()", () => {
  it("is that of a folder, or of what was fetched under the name", async () => {
    const folder = join(root, "model");
    await mkdir(folder);
    await writeFile(join(folder, "model.safetensors"), "");
    expect(await modelPath(folder)).toBe(folder);
    await expect(modelPath("maker/model")).rejects.toMatchObject({
      code: "APP_MODEL_NOT_FETCHED",
      message: expect.stringContaining("flacuna fetch maker/model"),
    });
    await flacuna("maker/model");
    expect(await modelPath("maker/model")).toBe(snapshot());
  });
});
