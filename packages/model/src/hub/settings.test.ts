import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSettings } from "./settings.ts";

let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "flacuna-settings-"));
  await mkdir(join(home, "huggingface"));
  await writeFile(join(home, "huggingface/token"), "hf_stored\n");
});
afterAll(() => rm(home, { recursive: true }));

describe("readSettings()", () => {
  it("has the hub's own defaults", async () => {
    expect(await readSettings({ token: "" }, {})).toEqual({
      hub: { url: "https://huggingface.co", origin: "https://huggingface.co", authorization: undefined },
      pythonIndex: { url: "https://pypi.org/simple", origin: "https://pypi.org", authorization: undefined },
      isOffline: false,
      hubCacheFolder: join(homedir(), ".cache/huggingface/hub"),
      cacheFolder: join(homedir(), ".cache/flacuna"),
    });
  });

  it.each([
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub", "/x/flacuna"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub", "/x/flacuna"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", FLACUNA_CACHE: "/f" }, "/old", "/f"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "~/c", FLACUNA_CACHE: "/f" }, "~/c", "/f"],
  ])("finds the caches by %j", async (environment, hubCacheFolder, cacheFolder) => {
    expect(await readSettings({ token: "" }, environment)).toMatchObject({
      hubCacheFolder: hubCacheFolder.replace("~", homedir()),
      cacheFolder,
    });
  });

  it.each([
    [{}, "Bearer hf_stored"],
    [{ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, undefined],
    [{ HF_TOKEN: " hf_mine\n" }, "Bearer hf_mine"],
    [{ HF_TOKEN_PATH: "/nothing" }, undefined],
  ])("finds the token by %j", async (environment, authorization) => {
    const { hub } = await readSettings({}, { XDG_CACHE_HOME: home, ...environment });
    expect(hub.authorization).toBe(authorization);
  });

  it.each([
    [{ HF_HUB_OFFLINE: "1" }, true],
    [{ HF_HUB_OFFLINE: "True" }, true],
    [{ TRANSFORMERS_OFFLINE: "yes" }, true],
    [{ HF_HUB_OFFLINE: "0" }, false],
  ])("is offline by %j: %s", async (environment, isOffline) => {
    expect(await readSettings({ token: "" }, environment)).toMatchObject({ isOffline });
  });

  it("keeps the credentials of a package index out of its URL", async () => {
    const { pythonIndex } = await readSettings({ pythonIndex: "https://me:s%40cret@index.test/simple/" }, {});
    expect(pythonIndex).toEqual({
      url: "https://index.test/simple",
      origin: "https://index.test",
      authorization: `Basic ${Buffer.from("me:s@cret").toString("base64")}`,
    });
  });

  it.each([["not a URL"], ["ftp://hub.test"], ["https://user:secret@hub.test"]])(
    "refuses %j as the hub, without repeating a secret",
    async (endpoint) => {
      const error = (await readSettings({ endpoint }, {}).catch((e: unknown) => e)) as Error;
      expect(error).toMatchObject({ code: "MODEL_INVALID_ARGUMENT" });
      expect(error.message).not.toContain("secret");
    },
  );
});
