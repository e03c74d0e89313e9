// The same work for many items, a few at a time.
import { ModelError } from "../errors.ts";

/**
 * Does `work` for each item, at most `limit` at a time. When one fails the others are told by their signal, and the first
 * failure is thrown once all have ended.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` for a limit that is none; the signal's reason; what `work` throws
 */
export async function forEachParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (!Number.isInteger(limit) || limit < 1) {
    throw new ModelError("MODEL_INVALID_ARGUMENT", `parallel must be a whole number above 0, got ${limit}`);
  }
  const failed = new AbortController();
  const either = AbortSignal.any(signal === undefined ? [failed.signal] : [failed.signal, signal]);
  const queue = items.values();
  const worker = async () => {
    try {
      for (const item of queue) {
        either.throwIfAborted();
        await work(item, either);
      }
    } catch (error) {
      failed.abort(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  signal?.throwIfAborted();
  failed.signal.throwIfAborted();
}
