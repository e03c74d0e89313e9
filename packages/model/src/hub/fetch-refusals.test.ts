// What a hub may not see, and what it may refuse.
import { mkdir, writeFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { bring, hubWith, inRoot, useFolder } from "./fixtures/fetching.ts";
import { type Fault, type Seen, SIGNATURE } from "./fixtures/loopback-hub.ts";

useFolder();
const TOKEN = "hf_secretOfTheUser";

describe("fetchModel() and the token", () => {
  it("gives it to the hub, and not to whom the hub redirects to", async () => {
    vi.stubEnv("HF_TOKEN", TOKEN);
    const hub = await hubWith();
    await bring(hub);
    const sent = (server: Seen["server"]) =>
      new Set(hub.requests.filter((r) => r.server === server).map((r) => r.headers.authorization));
    expect(sent("hub")).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(sent("store")).toEqual(new Set([undefined]));
  });

  it("does not follow a listing to another host with it", async () => {
    const other = await hubWith();
    const hub = await hubWith({
      misbehave: ({ kind, path }) =>
        kind === "api" && path.includes("/tree/")
          ? {
              status: 200,
              headers: { link: `<${other.url}/api/models/maker/model/tree/x>; rel="next"` },
              body: "[]",
            }
          : undefined,
    });
    await bring(hub, { token: TOKEN });
    expect(other.requests.length).toBeGreaterThan(0);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it("reads what the hub's own tools have stored", async () => {
    await mkdir(inRoot("home"));
    await writeFile(inRoot("home/token"), `${TOKEN}\n`);
    const hub = await hubWith();
    await bring(hub);
    expect(hub.requests[0]!.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

  it.each<[string, Seen["server"], Fault]>([
    ["refuses and quotes it", "hub", { status: 403, headers: { "x-error-message": `no: ${TOKEN}` } }],
    ["fails", "store", { status: 500 }],
    ["drops connections", "store", { dropAfter: 0 }],
  ])("appears in no message when a server %s, nor does a signature", async (_, server, fault) => {
    const hub = await hubWith({
      misbehave: (seen) => (seen.server === server && seen.path === "model.safetensors" ? fault : undefined),
    });
    const error = (await bring(hub, { token: TOKEN }).catch((e: unknown) => e)) as Error;
    const all =
      JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error.cause as Error)?.stack);
    expect(error).toBeInstanceOf(Error);
    expect(all).not.toContain(TOKEN);
    expect(all).not.toContain(SIGNATURE);
  });

  it("must be one that a header can hold, and is not shown when it is not", async () => {
    const error = (await bring({ url: "http://127.0.0.1:4" }, { token: "hf_a b" }).catch(
      (e: unknown) => e,
    )) as Error;
    expect(error).toMatchObject({ code: "MODEL_INVALID_ARGUMENT" });
    expect(error.message).not.toContain("hf_a");
  });
});

describe("fetchModel() of what cannot be had", () => {
  const api = (status: number, headers: Record<string, string> = {}) => ({
    misbehave: ({ kind }: Seen): Fault | undefined => (kind === "api" ? { status, headers } : undefined),
  });

  it.each<[string, number, Record<string, string>, string | undefined, string, RegExp]>([
    [
      "no such model",
      401,
      { "x-error-code": "RepoNotFound" },
      undefined,
      "MODEL_NOT_FOUND",
      /no such model.*HF_TOKEN/,
    ],
    [
      "no such model, with a token",
      404,
      { "x-error-code": "RepoNotFound" },
      TOKEN,
      "MODEL_NOT_FOUND",
      /no such model/,
    ],
    [
      "terms not accepted",
      403,
      { "x-error-code": "GatedRepo" },
      TOKEN,
      "MODEL_FETCH_REFUSED",
      /terms.*maker\/model/,
    ],
    [
      "a wrong token",
      401,
      { "x-error-message": "Invalid credentials" },
      TOKEN,
      "MODEL_FETCH_REFUSED",
      /check HF_TOKEN.*Invalid/,
    ],
    ["no token", 403, { "x-request-id": "1" }, undefined, "MODEL_FETCH_REFUSED", /set HF_TOKEN/],
    ["a plain 404", 404, {}, undefined, "MODEL_NOT_FOUND", /no such model/],
    ["a firewall", 403, {}, undefined, "MODEL_FETCH_FAILED", /firewall/],
    ["a gone hub", 503, {}, undefined, "MODEL_FETCH_FAILED", /answers 503; given up after 4 attempts/],
    ["another refusal", 410, { "x-request-id": "1" }, undefined, "MODEL_FETCH_FAILED", /answers 410/],
  ])("names %s", async (_, status, headers, token, code, message) => {
    const hub = await hubWith(api(status, headers));
    await expect(bring(hub, { token: token ?? "" })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("names an unknown revision", async () => {
    await expect(bring(await hubWith(), { revision: "v9" })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining('revision "v9"'),
    });
  });

  it("refuses pickles, and says what to do", async () => {
    const hub = await hubWith({ files: { "config.json": "{}", "pytorch_model.bin": "pickle" } });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      message: expect.stringMatching(/pickles \(pytorch_model.bin\).*safe_serialization=True/),
    });
    expect(hub.filesAsked()).toEqual([]);
  });

  it.each([
    ["a path that leads out", { path: "../../model.safetensors" }],
    ["an absolute path", { path: "/model.safetensors" }],
    ["a hash that is a path", { oid: "../../../../etc/passwd", lfs: undefined }],
    ["a size that is none", { size: -1, lfs: undefined }],
  ])("refuses a listing with %s", async (_, change) => {
    const hub = await hubWith({ listed: (entry) => ({ ...entry, ...change }) });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
    expect(hub.filesAsked()).toEqual([]);
  });

  it("does not follow a redirection without TLS from one with it, nor in circles", async () => {
    const hub = await hubWith({
      misbehave: ({ kind }) =>
        kind === "file" ? { status: 302, headers: { location: "/maker/model/resolve/x/again" } } : undefined,
    });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_FETCH_FAILED",
      message: expect.stringContaining("redirects more than"),
    });
  });

  it.each(["../nothing/here", "a/b/c/d", "/nothing/here", "nothing.gguf", "owner/", "a--b/c"])(
    "says that %j is neither here nor a name on the hub",
    async (name) => {
      await expect(bring({ url: "http://127.0.0.1:4" }, {}, name)).rejects.toMatchObject({
        code: "MODEL_NOT_FOUND",
      });
    },
  );
});
