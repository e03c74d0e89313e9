// Sets of characters, as they are written within a JSON string.
import { bytes, choice, type Expression, literal, repeat, sequence } from "./expression.ts";

/** Code points from one to another, both included. */
export type CodePoints = readonly [first: number, last: number];

const LAST_CODE_POINT = 0x10ffff;

/** Code points of as many bytes in UTF-8; surrogates are none. */
const BEYOND_ASCII: readonly CodePoints[] = [
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, LAST_CODE_POINT],
];

const utf8 = new TextEncoder();
const CONTINUATION = bytes([0x80, 0xbf]);

/** Any one of the characters, spelled as itself where JSON allows it and else by its shortest escape. */
export function characterOf(ranges: readonly CodePoints[]): Expression {
  const ascii = Array.from({ length: 0x80 }, (_, code) => code).filter((code) =>
    ranges.some(([first, last]) => first <= code && code <= last),
  );
  const isPlain = (code: number) => code >= 0x20 && code !== 0x22 && code !== 0x5c;
  const escaped = ascii.filter((code) => !isPlain(code));
  const plain = ascii.filter(isPlain).map((code) => [code, code] as const);
  return choice(
    ...(plain.length > 0 ? [bytes(...plain)] : []),
    ...escaped.map((code) => literal(JSON.stringify(String.fromCharCode(code)).slice(1, -1))),
    ...ranges.flatMap((range) => BEYOND_ASCII.flatMap((sameLength) => encodedBetween(range, sameLength))),
  );
}

/** The characters that are in none of the ranges. */
export function complementOf(ranges: readonly CodePoints[]): CodePoints[] {
  const complement: CodePoints[] = [];
  let next = 0;
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (first > next) complement.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  if (next <= LAST_CODE_POINT) complement.push([next, LAST_CODE_POINT]);
  return complement;
}

/** The UTF-8 of what a range has in common with one whose characters have as many bytes. */
function encodedBetween(range: CodePoints, sameLength: CodePoints): Expression[] {
  const [first, last] = [Math.max(range[0], sameLength[0]), Math.min(range[1], sameLength[1])];
  if (first > last) return [];
  return [bytesBetween(...([first, last].map((code) => utf8.encode(String.fromCodePoint(code))) as Ends))];
}

type Ends = [low: Uint8Array, high: Uint8Array];

/** The byte strings between two of one length, by their order. */
function bytesBetween(low: Uint8Array, high: Uint8Array): Expression {
  const [first, last] = [low[0]!, high[0]!];
  const rest = low.length - 1;
  if (rest === 0) return bytes([first, last]);
  const [lowRest, highRest] = [low.subarray(1), high.subarray(1)];
  if (first === last) return sequence(bytes([first, first]), bytesBetween(lowRest, highRest));
  const whole = repeat(CONTINUATION, rest, rest);
  return choice(
    sequence(bytes([first, first]), bytesBetween(lowRest, new Uint8Array(rest).fill(0xbf))),
    ...(last - first > 1 ? [sequence(bytes([first + 1, last - 1]), whole)] : []),
    sequence(bytes([last, last]), bytesBetween(new Uint8Array(rest).fill(0x80), highRest)),
  );
}
