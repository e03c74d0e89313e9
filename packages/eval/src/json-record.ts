// Checked access to parsed JSON: each failure names file, record, what was expected and what was there.

import { EvalError, quote } from "./errors.ts";

/** Where a value was found. */
export interface Place {
  readonly file: string;
  /** One-based; left out for a whole file. */
  readonly record?: number;
}

/** @throws EvalError `EVAL_FILE_MALFORMED` */
export function parseJson(text: string, place: Place): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EvalError("EVAL_FILE_MALFORMED", "not JSON", {
      ...place,
      got: quote(text.slice(0, 80)),
      cause,
    });
  }
}

/** Each non-blank line parsed on its own, with its one-based line number. */
export function parseJsonLines(text: string, file: string): { value: unknown; line: number }[] {
  return text
    .split("\n")
    .map((line, index) => ({ text: line, line: index + 1 }))
    .filter(({ text }) => text.trim() !== "")
    .map(({ text, line }) => ({ value: parseJson(text, { file, record: line }), line }));
}

/** @throws EvalError `EVAL_FILE_MALFORMED` when `value` is no object */
export function requireObject(value: unknown, what: string, place: Place): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw malformed(what, "an object", value, place);
}

/** @throws EvalError `EVAL_FILE_MALFORMED` when `value` is no array */
export function requireArray(value: unknown, what: string, place: Place): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(what, "an array", value, place);
}

/** @throws EvalError `EVAL_FILE_MALFORMED` when `value` is no string */
export function requireString(value: unknown, what: string, place: Place): string {
  if (typeof value === "string") return value;
  throw malformed(what, "a string", value, place);
}

function malformed(what: string, expected: string, got: unknown, place: Place): EvalError {
  return new EvalError("EVAL_FILE_MALFORMED", what, { ...place, expected, got: quote(got) });
}
