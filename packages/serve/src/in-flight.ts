// Which responses are still being made, so that a closing server can wait for them.
import type { ServerResponse } from "node:http";

/** Responses from the start of their request until their connection or their last byte is done. */
export class InFlight {
  readonly #responses = new Set<ServerResponse>();
  readonly #settled = new Set<() => void>();

  /** Counts a response until it closes. */
  add(response: ServerResponse): void {
    this.#responses.add(response);
    response.once("close", () => {
      this.#responses.delete(response);
      if (this.#responses.size > 0) return;
      for (const resolve of this.#settled) resolve();
    });
  }

  /** Waits until nothing is in flight, at most so long; whether nothing is. */
  async settle(timeoutMs: number): Promise<boolean> {
    if (this.#responses.size === 0) return true;
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#settled.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#settled.add(finish);
    });
    return this.#responses.size === 0;
  }
}
