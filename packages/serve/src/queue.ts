// Admission in front of the generator: how many requests run, how many wait, in which order, and when to refuse.
import { ServeError } from "./errors.ts";

/** Bounds of the queue. */
export interface QueueLimits {
  /** Requests generating at once; a positive integer. */
  readonly maxConcurrent: number;
  /** Requests waiting for a place; a non-negative integer. */
  readonly maxQueued: number;
  /** What a refused client is told to wait. */
  readonly retryAfterSeconds: number;
}

interface Waiter {
  admit(): void;
  refuse(error: ServeError): void;
}

/** First come, first served; a waiting request leaves when its client does. */
export class AdmissionQueue {
  readonly #limits: QueueLimits;
  readonly #waiting = new Set<Waiter>();
  #running = 0;
  #isClosed = false;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Requests generating now. */
  get running(): number {
    return this.#running;
  }

  /** Requests waiting now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether the queue has stopped admitting. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * A function that gives the place back, once there is one; calling it again does nothing.
   *
   * @throws ServeError `SERVE_OVERLOADED` when the queue is full, `SERVE_SHUTTING_DOWN` when it is closed
   * @throws the signal's reason when it aborts while waiting
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#isClosed) throw shuttingDown();
    if (this.#running < this.#limits.maxConcurrent) this.#running += 1;
    else await this.#wait(signal);
    return this.#createRelease();
  }

  /** Admits nothing more and refuses those waiting; those running keep their places. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiting) waiter.refuse(shuttingDown());
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { maxQueued, retryAfterSeconds } = this.#limits;
    if (this.#waiting.size >= maxQueued) {
      const message = `The server is busy: ${this.#running} requests are running and ${this.#waiting.size} are waiting. Try again in ${retryAfterSeconds} s.`;
      throw new ServeError("SERVE_OVERLOADED", message, { retryAfterSeconds });
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        leave();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        admit: () => {
          leave();
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      signal.addEventListener("abort", onAbort);
      this.#waiting.add(waiter);
    });
  }

  #createRelease(): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const [next] = this.#waiting;
      // The place passes on directly, so that a newcomer cannot overtake those who wait.
      if (next === undefined) this.#running -= 1;
      else next.admit();
    };
  }
}

/** The error of every request that meets a server on its way down. */
export function shuttingDown(): ServeError {
  return new ServeError("SERVE_SHUTTING_DOWN", "The server is shutting down. Try again later.", {
    retryAfterSeconds: 5,
  });
}
