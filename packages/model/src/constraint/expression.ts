// Sets of byte strings as expressions: bytes, sequences, choices, repetitions, references. `byte-automaton.ts` follows them.

/** A set of byte strings. */
export type Expression = Bytes | Sequence | Choice | Repeat | Reference;

/** One byte of a set. */
export interface Bytes {
  readonly kind: "bytes";
  /** 1 for each byte of the set. */
  readonly accepts: Uint8Array;
}

/** One part after the other; without parts the empty string. */
export interface Sequence {
  readonly kind: "sequence";
  readonly parts: readonly Expression[];
}

/** Any of the parts; without parts no string at all. */
export interface Choice {
  readonly kind: "choice";
  readonly parts: readonly Expression[];
}

/** The part `min` to `max` times. */
export interface Repeat {
  readonly kind: "repeat";
  readonly part: Expression;
  readonly min: number;
  readonly max: number;
  /** What may follow after one time. */
  readonly rest: Expression;
}

/** What `target` gives, which may be this expression's own surroundings. */
export interface Reference {
  readonly kind: "reference";
  readonly target: () => Expression;
}

/** The empty string. */
export const EMPTY: Expression = { kind: "sequence", parts: [] };

/** No string at all. */
export const NOTHING: Expression = { kind: "choice", parts: [] };

/** Whether the expression is known to allow no string. */
const isNothing = (expression: Expression): boolean =>
  expression.kind === "choice" && expression.parts.length === 0;

/** The parts one after the other. */
export function sequence(...parts: readonly Expression[]): Expression {
  if (parts.some(isNothing)) return NOTHING;
  return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
}

/** Any of the parts. */
export function choice(...parts: readonly Expression[]): Expression {
  const possible = parts.filter((part) => !isNothing(part));
  return possible.length === 1 ? possible[0]! : { kind: "choice", parts: possible };
}

/** The part, or the empty string. */
export const optional = (part: Expression): Expression => choice(part, EMPTY);

/** The part, which is never empty, `min` to `max` times. */
export function repeat(part: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
  if (max <= 0) return min > 0 ? NOTHING : EMPTY;
  if (isNothing(part) || min > max) return min > 0 ? NOTHING : EMPTY;
  return new Repetition(part, min, max);
}

class Repetition implements Repeat {
  readonly kind = "repeat";
  readonly part: Expression;
  readonly min: number;
  readonly max: number;
  #rest: Expression | undefined;

  constructor(part: Expression, min: number, max: number) {
    this.part = part;
    this.min = min;
    this.max = max;
  }

  get rest(): Expression {
    const isSame = this.min === 0 && this.max === Number.POSITIVE_INFINITY;
    this.#rest ??= isSame ? this : repeat(this.part, Math.max(0, this.min - 1), this.max - 1);
    return this.#rest;
  }
}

/** What `target` gives when it is first needed. */
export const reference = (target: () => Expression): Expression => ({ kind: "reference", target });

/** One byte of these ranges, both ends included. */
export function bytes(...ranges: readonly (readonly [first: number, last: number])[]): Expression {
  const accepts = new Uint8Array(256);
  for (const [first, last] of ranges) accepts.fill(1, first, last + 1);
  return { kind: "bytes", accepts };
}

const SINGLE = Array.from({ length: 256 }, (_, byte) => bytes([byte, byte]));
const utf8 = new TextEncoder();

/** Exactly this text. */
export const literal = (text: string): Expression =>
  sequence(...Array.from(utf8.encode(text), (byte) => SINGLE[byte]!));

/** One of these ASCII characters. */
export const oneOf = (characters: string): Expression =>
  bytes(
    ...Array.from(characters, (character) => [character.charCodeAt(0), character.charCodeAt(0)] as const),
  );
