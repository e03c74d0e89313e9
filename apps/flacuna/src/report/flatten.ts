// Nested settings as rows of a table.
import type { JsonValue } from "./report-schema.ts";

/** `[dotted path, value]` for every leaf; a list of plain values is one leaf. */
export function flattenSettings(value: JsonValue, path = ""): [path: string, value: string][] {
  if (Array.isArray(value) && value.every(isPlain))
    return [[path, value.length === 0 ? "none" : value.join(", ")]];
  if (isPlain(value)) return [[path, value === null ? "none" : String(value)]];
  const entries = Object.entries(value as { readonly [key: string]: JsonValue });
  if (entries.length === 0) return [[path, "none"]];
  return entries.flatMap(([key, child]) => flattenSettings(child, path === "" ? key : `${path}.${key}`));
}

function isPlain(value: JsonValue): value is string | number | boolean | null {
  return value === null || typeof value !== "object";
}
