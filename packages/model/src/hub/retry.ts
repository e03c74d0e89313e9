// Trying again what failed for a reason that may pass: how often, after how long, and what the server asked for.
import { setTimeout as sleep } from "node:timers/promises";
import { ModelError } from "../errors.ts";

/** A failure that may pass: a lost connection, a server that is busy. Never leaves this folder. */
export class PassingFailure extends Error {
  override readonly name = "PassingFailure";
  /** how long the server asks to be left alone */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** How patient to be. */
export interface RetryPolicy {
  /** attempts without any new byte, after which it is given up */
  readonly attempts: number;
  /** before the second attempt; doubles with each further one */
  readonly firstDelayMs: number;
  /** a server that asks for more is not waited for */
  readonly longestWaitMs: number;
}

/** Half a minute of waiting in all, or what the server asks for up to five minutes. */
export const RETRY_POLICY: RetryPolicy = { attempts: 6, firstDelayMs: 1000, longestWaitMs: 300_000 };

/**
 * The result of `attempt`, which is tried again while it fails with a `PassingFailure`.
 *
 * @param options.progress a count that grows with what has been achieved; attempts that raise it are not counted
 * @throws ModelError `MODEL_FETCH_FAILED` when patience is at its end; the signal's reason; whatever else `attempt` throws
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  {
    policy,
    signal,
    progress = () => 0,
    what,
  }: {
    readonly policy: RetryPolicy;
    readonly signal?: AbortSignal | undefined;
    readonly progress?: () => number;
    /** what is fetched, for the message */
    readonly what: string;
  },
): Promise<T> {
  let best = progress();
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PassingFailure)) throw error;
      if (progress() > best) failures = 1;
      best = Math.max(best, progress());
      const waitMs = error.retryAfterMs ?? policy.firstDelayMs * 2 ** (failures - 1);
      if (failures >= policy.attempts || waitMs > policy.longestWaitMs) {
        throw givenUp(what, error, failures, waitMs > policy.longestWaitMs ? waitMs : undefined);
      }
      await pause(waitMs, signal);
    }
  }
}

/** What the headers of a refusal ask to wait, in milliseconds: `Retry-After`, else the reset of the hub's `RateLimit`. */
export function retryAfterMs(headers: Headers, nowMs: number = Date.now()): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? /\bt=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function givenUp(
  what: string,
  failure: PassingFailure,
  attempts: number,
  waitMs: number | undefined,
): ModelError {
  const how =
    waitMs === undefined
      ? `given up after ${attempts} attempts`
      : `it asks to wait ${Math.ceil(waitMs / 60_000)} minutes`;
  return new ModelError(
    "MODEL_FETCH_FAILED",
    `${what}: ${failure.message}; ${how}. What has come is kept: the same call goes on from there`,
    { cause: failure, details: { attempts, ...(waitMs !== undefined && { waitMs }) } },
  );
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
