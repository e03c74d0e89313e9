// Python's `str.strip`, which knows other white space than JavaScript's `trim`.

const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const OUTER_SPACE = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "g");

/** `text` without the leading and trailing characters for which Python's `str.isspace` holds. */
export function pythonStrip(text: string): string {
  return text.replace(OUTER_SPACE, "");
}
