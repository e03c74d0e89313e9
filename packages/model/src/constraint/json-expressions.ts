// The pieces of JSON's grammar: white space, strings, numbers, and values of any kind. Knows no schema.
import { type CodePoints, characterOf } from "./characters.ts";
import {
  choice,
  EMPTY,
  type Expression,
  literal,
  NOTHING,
  oneOf,
  optional,
  reference,
  repeat,
  sequence,
} from "./expression.ts";

/** Between the parts of a value: nothing, a space, or a line break and an indentation. Never without end. */
export const SPACE: Expression = choice(
  EMPTY,
  literal(" "),
  sequence(literal("\n"), repeat(oneOf(" \t"), 0, 24)),
);

const DIGIT = oneOf("0123456789");
const HEX = oneOf("0123456789abcdefABCDEF");

/** What stands for itself in a string. */
const PLAIN: readonly CodePoints[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x10ffff],
];

/** One UTF-16 unit that is no surrogate, or a pair of surrogates. */
const CODE_POINT = choice(
  sequence(oneOf("0123456789abcefABCEF"), HEX, HEX, HEX),
  sequence(oneOf("dD"), oneOf("01234567"), HEX, HEX),
  sequence(oneOf("dD"), oneOf("89abAB"), HEX, HEX, literal("\\u"), oneOf("dD"), oneOf("cdefCDEF"), HEX, HEX),
);

const ESCAPE = sequence(literal("\\"), choice(oneOf('"\\/bfnrt'), sequence(literal("u"), CODE_POINT)));

/** A character of a string, spelled in any way. */
export const STRING_CHARACTER: Expression = choice(characterOf(PLAIN), ESCAPE);

/** A string of `min` to `max` characters. */
export const stringOf = (min = 0, max = Number.POSITIVE_INFINITY): Expression =>
  sequence(literal('"'), repeat(STRING_CHARACTER, min, max), literal('"'));

/** Digits of a number before its point and after: what a double can tell apart. */
const MAX_DIGITS = 15;

/** `.` and digits. */
const FRACTION: Expression = sequence(literal("."), repeat(DIGIT, 1, MAX_DIGITS));

/** A number without a sign or a leading zero. */
const WHOLE_NUMBER: Expression = choice(
  literal("0"),
  sequence(oneOf("123456789"), repeat(DIGIT, 0, MAX_DIGITS - 1)),
);

/** Any integer that a double holds exactly. */
export const INTEGER: Expression = sequence(optional(literal("-")), WHOLE_NUMBER);

/** Any number; exponents stay far from infinity. */
export const NUMBER: Expression = sequence(
  INTEGER,
  optional(FRACTION),
  optional(sequence(oneOf("eE"), optional(oneOf("+-")), repeat(DIGIT, 1, 2))),
);

/** `open`, then items with commas between, then `close`. */
export const enclosed = (open: string, items: Expression, close: string): Expression =>
  sequence(literal(open), SPACE, items, SPACE, literal(close));

/** `, item` */
export const further = (item: Expression): Expression => sequence(literal(","), SPACE, item);

/** `min` to `max` items with commas between. */
export function listOf(item: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
  const some = max === 0 ? NOTHING : sequence(item, repeat(further(item), Math.max(0, min - 1), max - 1));
  return min === 0 ? choice(some, EMPTY) : some;
}

/** `key: value` */
export const member = (key: Expression, value: Expression): Expression =>
  sequence(key, literal(":"), SPACE, value);

/** A value of any kind. */
export const ANY_VALUE: Expression = reference(() => anyValue);

const anyValue = choice(
  stringOf(),
  NUMBER,
  literal("true"),
  literal("false"),
  literal("null"),
  enclosed("[", listOf(ANY_VALUE), "]"),
  enclosed("{", listOf(member(stringOf(), ANY_VALUE)), "}"),
);
