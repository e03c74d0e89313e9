// One row of instruction data, its guard, and the check of a record that comes from outside; no file access.
import { DataError } from "./errors.ts";
import { isMessage, isRole, type Message } from "./message.ts";

/** One row of instruction data in the layout of `declare-lab/flan-mini`. */
export interface InstructionExample {
  readonly id: string;
  readonly source: string;
  readonly conversations: readonly Message[];
}

/** True for a complete row: string `id` and `source`, and a list of messages. */
export function isInstructionExample(value: unknown): value is InstructionExample {
  return describeMismatch(value) === undefined;
}

/** Where a record stands, for the message of an error, and what its missing names default to. */
export interface RecordContext {
  readonly path: string;
  /** 0-based number of the record in its file. */
  readonly index: number;
  readonly line?: number;
  /**
   * The `source` of a record that has none. Such files often have no `id` either: it then becomes
   * `<defaultSource>_<index>`.
   */
  readonly defaultSource?: string;
}

/**
 * The record as a row that holds only the known fields.
 *
 * @throws DataError `DATA_RECORD_MALFORMED` naming the file, the record and the first field that is wrong
 */
export function parseInstructionExample(record: unknown, context: RecordContext): InstructionExample {
  const completed = withDefaults(record, context);
  const mismatch = describeMismatch(completed);
  if (mismatch !== undefined) throw malformed(mismatch, context);
  const { id, source, conversations } = completed as InstructionExample;
  return { id, source, conversations: conversations.map(({ from, value }) => ({ from, value })) };
}

function withDefaults(record: unknown, { defaultSource, index }: RecordContext): unknown {
  if (defaultSource === undefined || typeof record !== "object" || record === null) return record;
  const { id, source, conversations } = record as Record<string, unknown>;
  return { id: id ?? `${defaultSource}_${index}`, source: source ?? defaultSource, conversations };
}

function describeMismatch(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `expected an object, got ${kindOf(value)}`;
  }
  const { id, source, conversations } = value as Record<string, unknown>;
  if (typeof id !== "string") return `expected a string in "id", got ${kindOf(id)}`;
  if (typeof source !== "string") return `expected a string in "source", got ${kindOf(source)}`;
  if (!Array.isArray(conversations)) {
    return `expected a list of messages in "conversations", got ${kindOf(conversations)}`;
  }
  const wrong = conversations.findIndex((message) => !isMessage(message));
  return wrong < 0 ? undefined : describeMessage(conversations[wrong], wrong);
}

function describeMessage(message: unknown, position: number): string {
  const where = `"conversations[${position}]"`;
  if (typeof message !== "object" || message === null)
    return `expected a message in ${where}, got ${kindOf(message)}`;
  const { from, value } = message as Record<string, unknown>;
  if (isRole(from)) return `expected a string in ${where}.value, got ${kindOf(value)}`;
  const got = typeof from === "string" ? JSON.stringify(from.slice(0, 40)) : kindOf(from);
  return `expected "human" or "gpt" in ${where}.from, got ${got}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  return Array.isArray(value) ? "a list" : `a value of type ${typeof value}`;
}

function malformed(mismatch: string, { path, index, line }: RecordContext): DataError {
  const place = line === undefined ? `record ${index}` : `record ${index} (line ${line})`;
  return new DataError(
    "DATA_RECORD_MALFORMED",
    `${path}: ${place}: ${mismatch}; correct the record, or pass onMalformed to skip such records`,
    { path, index, ...(line === undefined ? {} : { line }) },
  );
}
