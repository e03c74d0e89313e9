// Numbers between bounds, as expressions over their decimal digits.
import {
  choice,
  type Expression,
  literal,
  NOTHING,
  oneOf,
  optional,
  repeat,
  sequence,
} from "./expression.ts";
import { INTEGER, NUMBER } from "./json-expressions.ts";

/** Bounds of a number, as a schema has them. */
export interface Bounds {
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
}

const DIGITS = "0123456789";
/** With more digits, neighbouring numbers could be read as one. */
const LARGEST_INTEGER = 999_999_999_999_999;
const LARGEST_WITH_FRACTION = 999_999_999;
const FRACTION = sequence(literal("."), repeat(oneOf(DIGITS), 1, 6));

const isBounded = (bounds: Bounds): boolean => Object.values(bounds).some((bound) => bound !== undefined);

/** The integers within bounds. */
export function integersWithin(bounds: Bounds): Expression {
  if (!isBounded(bounds)) return INTEGER;
  const min = Math.max(
    Math.ceil(bounds.minimum ?? -Infinity),
    Math.floor(bounds.exclusiveMinimum ?? -Infinity) + 1,
  );
  const max = Math.min(
    Math.floor(bounds.maximum ?? Infinity),
    Math.ceil(bounds.exclusiveMaximum ?? Infinity) - 1,
  );
  return choice(
    wholeNumbers(Math.max(min, 0), max),
    sequence(literal("-"), wholeNumbers(Math.max(-max, 1), -min)),
  );
}

/** Numbers within bounds, without exponent: not all of them, but those with each whole part that lies between. */
export function numbersWithin(bounds: Bounds): Expression {
  if (!isBounded(bounds)) return NUMBER;
  const low = endOf(bounds.minimum ?? -Infinity, bounds.exclusiveMinimum ?? -Infinity, Math.max);
  const high = endOf(bounds.maximum ?? Infinity, bounds.exclusiveMaximum ?? Infinity, Math.min);
  const zero = { value: 0, isOpen: false };
  const mirrored = ({ value, isOpen }: End): End => ({ value: -value, isOpen });
  return choice(
    high.value < 0 ? NOTHING : positiveNumbers(low.value < 0 ? zero : low, high),
    low.value >= 0
      ? NOTHING
      : sequence(literal("-"), positiveNumbers(high.value > 0 ? zero : mirrored(high), mirrored(low))),
  );
}

interface End {
  readonly value: number;
  /** Whether the value itself is outside. */
  readonly isOpen: boolean;
}

function endOf(closed: number, open: number, tighter: (a: number, b: number) => number): End {
  const value = tighter(closed, open);
  return { value, isOpen: value === open };
}

function positiveNumbers(low: End, high: End): Expression {
  const first = low.isOpen ? Math.floor(low.value) + 1 : Math.ceil(low.value);
  const last = high.isOpen ? Math.ceil(high.value) - 1 : Math.floor(high.value);
  const withFraction = wholeNumbers(first, Math.min(Math.floor(high.value) - 1, LARGEST_WITH_FRACTION));
  return choice(sequence(withFraction, optional(FRACTION)), wholeNumbers(first, last));
}

/** The whole numbers from `low` to `high`, neither negative. */
function wholeNumbers(low: number, high: number): Expression {
  const [first, last] = [low, Math.min(high, LARGEST_INTEGER)];
  if (!(first <= last)) return NOTHING;
  const parts: Expression[] = [];
  for (let length = String(first).length; length <= String(last).length; length++) {
    const shortest = length === 1 ? 0 : 10 ** (length - 1);
    const from = Math.max(first, shortest);
    const to = Math.min(last, 10 ** length - 1);
    parts.push(ofSameLength(String(from), String(to)));
  }
  return choice(...parts);
}

function ofSameLength(low: string, high: string): Expression {
  if (/^0*$/.test(low) && /^9*$/.test(high)) return repeat(oneOf(DIGITS), low.length, low.length);
  const [first, last] = [low[0]!, high[0]!];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (first === last) return sequence(literal(first), ofSameLength(lowRest, highRest));
  const rest = lowRest.length;
  const between = DIGITS.slice(Number(first) + 1, Number(last));
  return choice(
    sequence(literal(first), ofSameLength(lowRest, "9".repeat(rest))),
    between === "" ? NOTHING : sequence(oneOf(between), repeat(oneOf(DIGITS), rest, rest)),
    sequence(literal(last), ofSameLength("0".repeat(rest), highRest)),
  );
}
