// One message of a conversation and its guard; no conversation rules.

/** Who speaks: the person or the model. */
export type Role = "human" | "gpt";

/** One message, its text verbatim (leading and trailing white space count). */
export interface Message {
  readonly from: Role;
  readonly value: string;
}

/** True for the two roles that FLAN-MINI uses. */
export function isRole(value: unknown): value is Role {
  return value === "human" || value === "gpt";
}

/** True for an object with a known role in `from` and a string in `value`. */
export function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null) return false;
  const { from, value: text } = value as Record<string, unknown>;
  return isRole(from) && typeof text === "string";
}
