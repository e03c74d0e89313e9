// Finds a tokenizer's added tokens (`<s>`, `</s>`, `<|im_start|>` …) in raw text. Encodes nothing itself.

/** One entry of `added_tokens` in a `tokenizer.json`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  /** Takes the white space before it along. */
  readonly lstrip?: boolean;
  /** Takes the white space after it along. */
  readonly rstrip?: boolean;
  /** Counts only when it stands between characters that are not of a word. */
  readonly single_word?: boolean;
}

/** A stretch of text between added tokens, or the id of one of them. */
export type Segment = string | number;

/**
 * A function that cuts a text at the added tokens, the longest at each place; empty stretches are left out.
 *
 * Tokens marked `normalized` are looked for in the raw text too, as the original LLaMA tokenizer does: training text
 * has `</s>` right after a word.
 */
export function createAddedTokenSplitter(tokens: readonly AddedToken[]): (text: string) => Segment[] {
  const used = tokens.filter(({ content }) => content.length > 0);
  if (used.length === 0) return (text) => (text === "" ? [] : [text]);
  const ordered = [...used].sort((a, b) => b.content.length - a.content.length);
  const pattern = new RegExp(ordered.map(alternative).join("|"), "gu");
  return (text) => {
    const segments: Segment[] = [];
    let end = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index > end) segments.push(text.slice(end, match.index));
      segments.push(ordered[match.slice(1).findIndex((group) => group !== undefined)]!.id);
      end = match.index + match[0].length;
    }
    if (end < text.length) segments.push(text.slice(end));
    return segments;
  };
}

function alternative(token: AddedToken): string {
  const content = `(${token.content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")})`;
  const bounded = token.single_word ? `(?<![\\p{L}\\p{N}_])${content}(?![\\p{L}\\p{N}_])` : content;
  return `${token.lstrip ? "\\s*" : ""}${bounded}${token.rstrip ? "\\s*" : ""}`;
}
