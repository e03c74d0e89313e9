// A first-come, first-served limit on how many asynchronous calls are under way at once. Knows nothing of the runtime.

/** Lets at most `capacity` holders in at once, the others in the order in which they asked. */
export class Gate {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(capacity: number) {
    this.#free = capacity;
  }

  /**
   * Waits for a place and holds it while `task` runs.
   *
   * @throws the reason of `signal` when it aborts before the task has begun; a begun task sees to its own abort
   */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  #enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#waiting.delete(admit);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.add(admit);
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else {
      this.#free++;
    }
  }
}

/**
 * The gate of all calls that occupy a libuv thread for long. One thread of libuv's pool (4, or `UV_THREADPOOL_SIZE`)
 * always stays free of them, as file reads and name look-ups wait for the same threads.
 */
export const nativeCallGate = new Gate(Math.max(1, threadPoolSize() - 1));

function threadPoolSize(): number {
  const size = Number.parseInt(process.env.UV_THREADPOOL_SIZE ?? "", 10);
  return Number.isNaN(size) ? 4 : Math.max(1, size);
}
