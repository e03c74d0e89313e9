// SHA-256 names of what a token cache was made from.
import { createHash } from "node:crypto";
import type { ConversationTemplate } from "../conversation-template.ts";
import { readByteChunks } from "../read/byte-chunks.ts";

/**
 * The SHA-256 of a file's content in hexadecimal, of the decompressed content for `.gz`.
 *
 * @throws DataError `DATA_FILE_UNREADABLE`, `DATA_FILE_TRUNCATED`
 */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of readByteChunks(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** The SHA-256 of a JSON-like value in hexadecimal; the order of keys counts. */
export function hashJson(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

const PROBE = [
  { role: "user", content: "first question" },
  { role: "assistant", content: "first answer" },
  { role: "user", content: "" },
  { role: "assistant", content: "" },
  { role: "user", content: " second\nquestion " },
  { role: "assistant", content: " second\nanswer " },
] as const;

/** The SHA-256 of what a template does: its marks, and how it writes a fixed conversation, whole and cut after each message. */
export function hashTemplate(template: ConversationTemplate): string {
  const texts = PROBE.map((_, position) => template.format(PROBE.slice(0, position + 1)));
  return hashJson([template.endOfTurn, template.responseMarker, texts]);
}
