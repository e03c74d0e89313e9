// Follows an expression byte by byte, all its alternatives at once. States are made when first reached, and kept.
import type { Bytes, Expression } from "./expression.ts";

/** A list of expressions to come, one after the other; equal lists are one object. */
interface Cell<Head extends Expression = Expression> {
  readonly id: number;
  readonly head: Head;
  readonly rest: Cell | undefined;
}

/** Where in an expression one may be after some bytes. */
export interface State {
  /** Alternatives of what may follow, each beginning with a byte. */
  readonly leaves: readonly Cell<Bytes>[];
  /** Whether the bytes so far are a whole string of the expression. */
  readonly isComplete: boolean;
  /** The state after each byte, `null` where there is none; undefined until asked for. */
  readonly next: (State | null | undefined)[];
  /** The same by the ids of the leaves that accept the byte. */
  readonly nextOfLeaves: Map<string, State | null>;
}

/** States kept at a time. Nesting and counts make new ones without end, of which few are seen again. */
const MAX_STATES = 10_000;

/** An expression as an automaton over bytes. */
export class ByteAutomaton {
  readonly start: State;
  #cells = new Map<Expression, Map<Cell | undefined, Cell>>();
  #states = new Map<string, State>();
  #cellCount = 0;

  constructor(expression: Expression) {
    const closure = new Closure();
    this.#expand(this.#cell(expression, undefined), closure);
    this.start = this.#state(closure);
  }

  /** The state after `byte`; `null` where it cannot come next. */
  step(state: State, byte: number): State | null {
    const known = state.next[byte];
    if (known !== undefined) return known;
    const leaves = state.leaves.filter(({ head }) => head.accepts[byte] === 1);
    // Most bytes lead where another does: what follows is worked out once for all that the same leaves accept.
    const key = String(leaves.map(({ id }) => id));
    let next = state.nextOfLeaves.get(key);
    if (next === undefined) {
      next = this.#after(leaves);
      state.nextOfLeaves.set(key, next);
    }
    state.next[byte] = next;
    return next;
  }

  #after(leaves: readonly Cell<Bytes>[]): State | null {
    const closure = new Closure();
    for (const { rest } of leaves) this.#expand(rest, closure);
    return closure.isDead ? null : this.#state(closure);
  }

  /** Adds what a list of expressions may begin with. */
  #expand(cell: Cell | undefined, closure: Closure): void {
    if (cell === undefined) {
      closure.isComplete = true;
      return;
    }
    if (closure.visited.has(cell)) return;
    closure.visited.add(cell);
    const { head, rest } = cell;
    switch (head.kind) {
      case "bytes":
        closure.leaves.push(cell as Cell<Bytes>);
        return;
      case "sequence":
        this.#expand(
          head.parts.reduceRight<Cell | undefined>((after, part) => this.#cell(part, after), rest),
          closure,
        );
        return;
      case "choice":
        for (const part of head.parts) this.#expand(this.#cell(part, rest), closure);
        return;
      case "repeat":
        if (head.min === 0) this.#expand(rest, closure);
        this.#expand(this.#cell(head.part, this.#cell(head.rest, rest)), closure);
        return;
      case "reference":
        this.#expand(this.#cell(head.target(), rest), closure);
        return;
      default:
        head satisfies never;
    }
  }

  #cell(head: Expression, rest: Cell | undefined): Cell {
    const byRest = this.#cells.get(head) ?? new Map<Cell | undefined, Cell>();
    this.#cells.set(head, byRest);
    const cell = byRest.get(rest) ?? { id: this.#cellCount++, head, rest };
    byRest.set(rest, cell);
    return cell;
  }

  #state({ leaves, isComplete }: Closure): State {
    const key = `${leaves.map(({ id }) => id).sort((a, b) => a - b)}${isComplete ? "." : ""}`;
    let state = this.#states.get(key);
    if (state !== undefined) return state;
    if (this.#states.size >= MAX_STATES) {
      this.#states = new Map();
      this.#cells = new Map();
    }
    const next = new Array<State | undefined>(256).fill(undefined);
    state = { leaves, isComplete, next, nextOfLeaves: new Map() };
    this.#states.set(key, state);
    return state;
  }
}

/** What is found while a state is made. */
class Closure {
  readonly visited = new Set<Cell>();
  readonly leaves: Cell<Bytes>[] = [];
  isComplete = false;

  get isDead(): boolean {
    return this.leaves.length === 0 && !this.isComplete;
  }
}
