// What the next step computes: who goes ahead by how many tokens, who waits, whose pages are taken. Runs nothing.
import { PageAllocator } from "./page-allocator.ts";
import { PrefixCache, type PrefixNode } from "./prefix-cache.ts";
import { Sequence, type Work } from "./sequence.ts";

/** Bounds of a step. */
export interface SchedulerLimits {
  /** Most tokens of one step; `maxConcurrent` at least. */
  readonly maxStepTokens: number;
  /** Tokens chosen and scored in one step, about; `maxConcurrent` at least. */
  readonly maxStepReads: number;
  /** Most sequences that hold pages at once. */
  readonly maxConcurrent: number;
}

/** The part of a step that computes tokens `start` … `end` − 1 of a sequence. */
export interface Advance {
  readonly sequence: Sequence;
  readonly start: number;
  readonly end: number;
}

/** What is in use, and what has happened so far. */
export interface SchedulerStats {
  readonly running: number;
  readonly waiting: number;
  /** Pages that running sequences use. */
  readonly usedPages: number;
  /** Pages that nobody uses and that hold beginnings which may come again. */
  readonly cachedPages: number;
  /** Tokens that went through the model. */
  readonly computedTokens: number;
  /** Tokens that did not have to, as their pages were there. */
  readonly reusedTokens: number;
  /** How often a sequence lost its pages to an older one. */
  readonly preemptions: number;
}

/** A step being planned. */
interface Plan {
  readonly advances: Advance[];
  /** Tokens and reads that are left beside those kept for sequences with one token to compute. */
  tokens: number;
  reads: number;
  /** Pages that this step works on: who needs one of them too waits for it. */
  readonly claims: Map<PrefixNode, Set<string>>;
}

/**
 * First come, first served: all running sequences came before all waiting ones, and where pages run out the newest loses
 * its own. A sequence with one token to compute goes ahead in every step; what is left of the step reads the others.
 */
export class Scheduler {
  readonly #pageSize: number;
  readonly #pageCount: number;
  readonly #limits: SchedulerLimits;
  readonly #prefixes = new PrefixCache();
  readonly #pages: PageAllocator;
  /** Both in the order of arrival. */
  readonly #running: Sequence[] = [];
  readonly #waiting: Sequence[] = [];
  #computedTokens = 0;
  #reusedTokens = 0;
  #preemptions = 0;

  constructor(pool: { readonly pageSize: number; readonly pageCount: number }, limits: SchedulerLimits) {
    this.#pageSize = pool.pageSize;
    this.#pageCount = pool.pageCount;
    this.#limits = limits;
    this.#pages = new PageAllocator(pool.pageCount, (page) => this.#prefixes.remove(page));
  }

  get stats(): SchedulerStats {
    return {
      running: this.#running.length,
      waiting: this.#waiting.length,
      usedPages: this.#pageCount - this.#pages.available,
      cachedPages: this.#pages.keptCount,
      computedTokens: this.#computedTokens,
      reusedTokens: this.#reusedTokens,
      preemptions: this.#preemptions,
    };
  }

  /** Puts work at the end of the line; it never holds more tokens than there are places in the pool. */
  add(work: Work): Sequence {
    const sequence = new Sequence(work);
    this.#waiting.push(sequence);
    return sequence;
  }

  /** Takes a sequence out, wherever it is, and frees its pages; it may be out already. */
  remove(sequence: Sequence): void {
    if (sequence.state === "gone") return;
    const line = sequence.state === "running" ? this.#running : this.#waiting;
    line.splice(line.indexOf(sequence), 1);
    this.#release(sequence);
    sequence.state = "gone";
  }

  /** All sequences, in the order of arrival. */
  sequences(): Sequence[] {
    return [...this.#running, ...this.#waiting];
  }

  /** The next step, which holds pages for what it computes; empty exactly when there is nothing to do. */
  plan(): Advance[] {
    const { maxStepTokens, maxStepReads } = this.#limits;
    const plan: Plan = { advances: [], tokens: maxStepTokens, reads: maxStepReads, claims: new Map() };
    const single = new Set(this.#running.filter(({ remaining }) => remaining === 1));
    plan.tokens -= single.size;
    plan.reads -= single.size;
    // A copy, as those that come later may lose their pages and their place.
    for (const sequence of [...this.#running]) {
      if (sequence.state !== "running") continue;
      if (single.has(sequence)) {
        // What is kept for it.
        plan.tokens += 1;
        plan.reads += 1;
      }
      this.#advance(sequence, plan);
    }
    this.#admit(plan);
    return plan.advances;
  }

  /** Notes that the model has computed `advances`; sequences that were removed meanwhile are passed over. */
  commit(advances: readonly Advance[]): void {
    for (const { sequence, start, end } of advances) {
      if (sequence.state !== "running") continue;
      this.#computedTokens += end - start;
      sequence.computed = end;
      this.#enterFullPages(sequence);
    }
  }

  #admit(plan: Plan): void {
    while (this.#running.length < this.#limits.maxConcurrent && plan.tokens > 0) {
      const sequence = this.#waiting[0];
      if (sequence === undefined) return;
      this.#catchUp(sequence);
      if (!this.#hasRoomFor(sequence)) {
        this.#release(sequence);
        return;
      }
      this.#waiting.shift();
      this.#running.push(sequence);
      sequence.state = "running";
      this.#reusedTokens += sequence.computed;
      this.#advance(sequence, plan);
    }
  }

  /** Whether all its tokens find pages beside what running sequences still need, with one more for each to grow. */
  #hasRoomFor(sequence: Sequence): boolean {
    const growth = this.#running.length;
    const needed = this.#running.reduce((sum, other) => sum + this.#missingPages(other), growth);
    // Alone in the pool every sequence fits, as none is longer than that.
    return growth === 0 || needed + this.#missingPages(sequence) <= this.#pages.available;
  }

  #missingPages({ work, pages }: Sequence): number {
    return Math.ceil(work.tokens.length / this.#pageSize) - pages.length;
  }

  /** Plans what a running sequence computes in this step, if anything. */
  #advance(sequence: Sequence, plan: Plan): void {
    const before = sequence.computed;
    this.#catchUp(sequence);
    this.#reusedTokens += sequence.computed - before;
    if (this.#isClaimed(sequence, plan)) return;
    const start = sequence.computed;
    const wanted = start + Math.min(sequence.remaining, plan.tokens);
    const end = this.#takePages(sequence, this.#boundByReads(sequence, wanted, plan));
    if (end <= start) return;
    plan.advances.push({ sequence, start, end });
    plan.tokens -= end - start;
    plan.reads -= countReads(sequence, end);
    this.#claim(sequence, plan);
  }

  /** The end of what can be computed with the reads that are left; the first of a step is never held up. */
  #boundByReads({ work, computed }: Sequence, end: number, plan: Plan): number {
    const bound = Math.min(end, work.readPosition(Math.max(plan.reads, 1)) ?? end);
    return plan.advances.length === 0 ? Math.max(bound, computed + 1) : bound;
  }

  /** Goes over to pages that hold what comes next and is not read, whoever has computed them. */
  #catchUp(sequence: Sequence): void {
    for (;;) {
      const node = this.#isShareable(sequence) ? this.#findNext(sequence) : undefined;
      if (node === undefined) return;
      this.#useNode(sequence, node);
      sequence.computed = sequence.nodes.length * this.#pageSize;
    }
  }

  /** Whether the page that is computed next need not be, if it is to be had: none of its tokens is read. */
  #isShareable(sequence: Sequence): boolean {
    const first = sequence.work.readPosition(0) ?? sequence.work.tokens.length;
    return this.#nextEnd(sequence) <= first;
  }

  /** Whether this step computes the same page for another sequence. */
  #isClaimed(sequence: Sequence, plan: Plan): boolean {
    if (!this.#isShareable(sequence)) return false;
    const texts = plan.claims.get(this.#parentOf(sequence));
    return texts?.has(sequence.nextText(this.#pageSize)) ?? false;
  }

  #claim(sequence: Sequence, { claims }: Plan): void {
    if (this.#nextEnd(sequence) > sequence.work.tokens.length) return;
    const parent = this.#parentOf(sequence);
    const texts = claims.get(parent) ?? new Set();
    claims.set(parent, texts.add(sequence.nextText(this.#pageSize)));
  }

  /** Pages for the tokens before `end`, from newer sequences if need be; how far the pages reach. */
  #takePages(sequence: Sequence, end: number): number {
    const needed = Math.ceil(end / this.#pageSize) - sequence.pages.length;
    while (this.#pages.available < needed && this.#running.at(-1) !== sequence) this.#preemptNewest();
    for (let count = 0; count < needed; count++) {
      const page = this.#pages.take();
      if (page === undefined) break;
      sequence.pages.push(page);
    }
    return Math.min(end, sequence.pages.length * this.#pageSize);
  }

  #preemptNewest(): void {
    const newest = this.#running.pop()!;
    this.#release(newest);
    newest.state = "waiting";
    this.#waiting.unshift(newest);
    this.#preemptions += 1;
  }

  /** Enters pages that have become full; where another sequence was as fast, both go on with one of the two. */
  #enterFullPages(sequence: Sequence): void {
    while (this.#nextEnd(sequence) <= sequence.computed) {
      const known = this.#findNext(sequence);
      if (known) {
        this.#useNode(sequence, known);
      } else {
        const page = sequence.pages[sequence.nodes.length]!;
        sequence.nodes.push(
          this.#prefixes.add(this.#parentOf(sequence), sequence.nextText(this.#pageSize), page),
        );
      }
    }
  }

  /** Makes `node` the next full page of a sequence, in place of its own if it has begun one. */
  #useNode(sequence: Sequence, node: PrefixNode): void {
    const own = sequence.pages[sequence.nodes.length];
    this.#pages.share(node.page);
    if (own !== undefined) this.#pages.release(own, false);
    sequence.pages[sequence.nodes.length] = node.page;
    sequence.nodes.push(node);
  }

  #findNext(sequence: Sequence): PrefixNode | undefined {
    return this.#prefixes.find(this.#parentOf(sequence), sequence.nextText(this.#pageSize));
  }

  #parentOf({ nodes, work }: Sequence): PrefixNode {
    return nodes.at(-1) ?? this.#prefixes.root(work.adapter);
  }

  /** The position after the page that is computed next. */
  #nextEnd({ nodes }: Sequence): number {
    return (nodes.length + 1) * this.#pageSize;
  }

  /** Gives back all pages, the last first: of a beginning, the longest parts are then lost first. */
  #release(sequence: Sequence): void {
    const { pages, nodes } = sequence;
    for (let index = pages.length - 1; index >= 0; index--) {
      this.#pages.release(pages[index]!, index < nodes.length);
    }
    // The array itself stays as it is: a step under way may still read it.
    sequence.pages = [];
    nodes.length = 0;
    sequence.computed = 0;
  }
}

/** Reads that are made among the tokens before `end`. */
function countReads({ work }: Sequence, end: number): number {
  let count = 0;
  while ((work.readPosition(count) ?? end) < end) count++;
  return count;
}
