// Who uses which page of the pool, and in which order unused pages are given out. Knows nothing of what is in them.

/** Pages 0 … count − 1, each with any number of users. */
export class PageAllocator {
  /** Users of each page. */
  readonly #users: Uint32Array;
  /** Unused pages of no worth, the last one first in line. */
  readonly #empty: number[];
  /** Unused pages whose contents may be wanted again, the least recently used first. */
  readonly #kept = new Set<number>();
  readonly #onEvict: (page: number) => void;

  /** @param onEvict told of a kept page before it is given out, as its contents are lost */
  constructor(pageCount: number, onEvict: (page: number) => void) {
    this.#users = new Uint32Array(pageCount);
    // Low pages first, so that a pool which is never full touches little memory.
    this.#empty = Array.from({ length: pageCount }, (_, index) => pageCount - 1 - index);
    this.#onEvict = onEvict;
  }

  /** Pages that nobody uses, kept ones among them. */
  get available(): number {
    return this.#empty.length + this.#kept.size;
  }

  /** Unused pages whose contents are kept. */
  get keptCount(): number {
    return this.#kept.size;
  }

  /** A page for one user, an empty one if there is any; nothing when all are in use. */
  take(): number | undefined {
    const page = this.#empty.pop() ?? this.#evict();
    if (page !== undefined) this.#users[page] = 1;
    return page;
  }

  /** One more user for a page that is in use or kept. */
  share(page: number): void {
    this.#kept.delete(page);
    this.#users[page]! += 1;
  }

  /** One user less; after the last one the contents are kept for as long as there is room, if they are of worth. */
  release(page: number, isOfWorth: boolean): void {
    this.#users[page]! -= 1;
    if (this.#users[page]! > 0) return;
    if (isOfWorth) this.#kept.add(page);
    else this.#empty.push(page);
  }

  #evict(): number | undefined {
    const [page] = this.#kept;
    if (page === undefined) return undefined;
    this.#kept.delete(page);
    this.#onEvict(page);
    return page;
  }
}
