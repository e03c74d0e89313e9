import { describe, expect, it } from "vitest";
import { PassingFailure, retryAfterMs, retrying } from "./retry.ts";

const NOW = Date.parse("2025-01-01T00:00:00Z");

describe("retryAfterMs()", () => {
  it.each([
    [{ "retry-after": "7" }, 7000],
    [{ "retry-after": "Wed, 01 Jan 2025 00:00:30 GMT" }, 30_000],
    [{ "retry-after": "Tue, 31 Dec 2024 23:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ ratelimit: '"resolvers";r=0;t=55' }, 55_000],
    [{}, undefined],
  ])("reads %j as %s", (headers, expected) => {
    expect(retryAfterMs(new Headers(headers), NOW)).toBe(expected);
  });
});

describe("retrying()", () => {
  const policy = { attempts: 3, firstDelayMs: 1, longestWaitMs: 50 };

  it("counts attempts that achieve nothing, and only those", async () => {
    let progress = 0;
    let attempts = 0;
    const attempt = async () => {
      attempts++;
      if (attempts <= 10) progress++;
      throw new PassingFailure("dropped");
    };
    const ended = retrying(attempt, { policy, progress: () => progress, what: "a file" });
    await expect(ended).rejects.toMatchObject({
      code: "MODEL_FETCH_FAILED",
      message: expect.stringMatching(/^a file: dropped; given up after 3 attempts/),
    });
    expect(attempts).toBe(12);
  });

  it("does not take beginning again for progress", async () => {
    const sizes = [5, 0, 5, 0, 5, 0, 5];
    let at = 0;
    const attempt = async () => {
      at++;
      throw new PassingFailure("dropped");
    };
    await expect(
      retrying(attempt, { policy, progress: () => sizes[at] ?? 99, what: "a file" }),
    ).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
    expect(at).toBe(3);
  });

  it("lets other errors through at once", async () => {
    const error = new Error("a bug");
    let attempts = 0;
    const attempt = async () => {
      attempts++;
      throw error;
    };
    await expect(retrying(attempt, { policy, what: "a file" })).rejects.toBe(error);
    expect(attempts).toBe(1);
  });

  it("ends while it waits when told to", async () => {
    const abort = new AbortController();
    const reason = new Error("interrupted");
    const attempt = async () => {
      setTimeout(() => abort.abort(reason), 5);
      throw new PassingFailure("busy", { retryAfterMs: 60_000 });
    };
    const patient = { ...policy, longestWaitMs: 120_000 };
    await expect(retrying(attempt, { policy: patient, signal: abort.signal, what: "a file" })).rejects.toBe(
      reason,
    );
  });
});
