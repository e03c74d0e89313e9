// Work in JavaScript that is long in sum, done in slices so that other events get their turn in between.
import { setImmediate } from "node:timers/promises";

const SLICE_MS = 2;

/** A stretch of time for one kind of work. */
export class TimeSlice {
  #until = performance.now() + SLICE_MS;

  /** Whether it is time to `pause`. */
  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  /** Lets other events have their turn, and begins anew. */
  async pause(): Promise<void> {
    await setImmediate();
    this.#until = performance.now() + SLICE_MS;
  }
}

/** `items` in order, equal ones as they were; the event loop is left free now and then. */
export async function sortInSlices<T>(items: readonly T[], compare: (a: T, b: T) => number): Promise<T[]> {
  const slice = new TimeSlice();
  let from = [...items];
  let to = [...items];
  for (let width = 1; width < items.length; width *= 2) {
    for (let start = 0; start < items.length; start += 2 * width) {
      const [middle, end] = [start + width, Math.min(start + 2 * width, items.length)];
      for (let left = start, right = middle, at = start; at < end; at++) {
        if (slice.isOver) await slice.pause();
        const takesLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0);
        to[at] = from[takesLeft ? left++ : right++]!;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
