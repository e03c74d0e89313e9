// One listener per signal, however many requests wait for it: a signal with more than ten is taken for a leak.

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `callback` when `signal` aborts, in the order of these calls.
 *
 * @returns takes it back; harmless afterwards
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? listen(signal);
  // A function of its own, so that the same callback may be given twice.
  const call = () => callback();
  callbacks.add(call);
  return () => callbacks.delete(call);
}

function listen(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  callbacksOf.set(signal, callbacks);
  signal.addEventListener("abort", () => {
    for (const call of [...callbacks]) if (callbacks.delete(call)) call();
  });
  return callbacks;
}
