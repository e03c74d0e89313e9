// A sequence on its way through the model: what it is for, how far it is computed, and in which pages. No decisions.
import { type PrefixNode, pageText } from "./prefix-cache.ts";
import type { Read, StepResult } from "./step-model.ts";

/** What a sequence is computed for: a generation or a score. */
export interface Work {
  /** Grows at its end only; one token at least. */
  readonly tokens: readonly number[];
  /** Index of the adapter that the tokens go through; 0 is none. */
  readonly adapter: number;
  /** Position of the token after which read `index` of those to come is made; they rise or repeat. */
  readPosition(index: number): number | undefined;
  /** Does in small parts what the next `reads` would take long for. */
  prepare?(): Iterable<void>;
  /** The reads to be made among the tokens `start` … `end` − 1: the next ones, in their order. */
  reads(start: number, end: number): Read[];
  /** Takes in what the reads gave; true when there is nothing more to do. May throw, which fails this work alone. */
  accept(results: readonly StepResult[]): boolean;
  /** Ends the work with an error; it is in no step any more. */
  fail(error: unknown): void;
}

/** Where work goes. */
export interface WorkSink {
  /** Lets work take part from the next step on. */
  add(work: Work): Sequence;
  /** Takes a sequence out without a word to its work; it may be out already. */
  remove(sequence: Sequence): void;
}

/** Where a sequence is. */
export type SequenceState = "waiting" | "running" | "gone";

/** The state of one sequence, which the scheduler alone changes. */
export class Sequence {
  readonly work: Work;
  state: SequenceState = "waiting";
  /** Tokens whose keys and values are in `pages`. */
  computed = 0;
  pages: number[] = [];
  /** The full ones among `pages`, all of them in the cache of prefixes: as many as `computed` fills. */
  readonly nodes: PrefixNode[] = [];
  readonly #texts: string[] = [];

  constructor(work: Work) {
    this.work = work;
  }

  /** Tokens still to be computed. */
  get remaining(): number {
    return this.work.tokens.length - this.computed;
  }

  /** The text of the page that is computed next; its tokens are all known. */
  nextText(pageSize: number): string {
    const index = this.nodes.length;
    this.#texts[index] ??= pageText(this.work.tokens.slice(index * pageSize, (index + 1) * pageSize));
    return this.#texts[index];
  }
}
