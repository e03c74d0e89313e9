// SHA-256 fingerprints of prompts and documents.

import { createHash } from "node:crypto";

/** The SHA-256 of `parts` in order, each closed by a zero byte so that no two lists collide, as lower-case hex. */
export function hashText(parts: Iterable<string>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part, "utf8").update("\0");
  return hash.digest("hex");
}

/** The SHA-256 of `value` as JSON; key order matters, so build `value` in one place. */
export function hashJson(value: unknown): string {
  return hashText([JSON.stringify(value)]);
}
