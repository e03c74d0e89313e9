// When a generation ends: end-of-sequence ids, a limit on tokens, strings in the decoded text. Chooses no token.
import type { IncrementalDecoder } from "../tokenizer/incremental-decoder.ts";

/** Why a generation ended: the model or a stop string ended it, or the limit was reached. */
export type FinishReason = "stop" | "length";

/** Follows one generation. */
export interface StopRule {
  /**
   * Takes in the next token; what it returns ends the generation. An end-of-sequence token is not part of the output,
   * the token that completes a stop string or reaches the limit is.
   */
  accept(id: number): { readonly finishReason: FinishReason; readonly isOutput: boolean } | undefined;
}

/** When to stop. */
export interface StopOptions {
  /** Most tokens to generate. */
  readonly maxNewTokens: number;
  readonly eosTokenIds: readonly number[];
  /** Strings that end the generation when the decoded text contains one. Default none. */
  readonly stop?: readonly string[];
}

/** A rule for one generation; `createDecoder` is called only when there are strings to look for. */
export function createStopRule(options: StopOptions, createDecoder: () => IncrementalDecoder): StopRule {
  const { maxNewTokens, eosTokenIds, stop = [] } = options;
  const filter = stop.length > 0 ? createStopFilter(stop) : undefined;
  const decoder = filter && createDecoder();
  let count = 0;
  return {
    accept(id) {
      if (eosTokenIds.includes(id)) return { finishReason: "stop", isOutput: false };
      count += 1;
      if (filter && decoder && filter.push(decoder.push(id)).isStopped)
        return { finishReason: "stop", isOutput: true };
      return count >= maxNewTokens ? { finishReason: "length", isOutput: true } : undefined;
    },
  };
}

/** Passes text on up to the first stop string. */
export interface StopFilter {
  /** The text that can be shown now: none of it belongs to a stop string. Empty once stopped. */
  push(text: string): { readonly text: string; readonly isStopped: boolean };
  /** What was held back because it could have begun a stop string; the text has ended. */
  flush(): string;
}

/** A filter for the strings in `stop`; the one that begins first counts, and it is not passed on. */
export function createStopFilter(stop: readonly string[]): StopFilter {
  const strings = stop.filter((text) => text !== "");
  let held = "";
  let isStopped = false;
  return {
    push(text) {
      if (isStopped) return { text: "", isStopped };
      held += text;
      const at = firstIndex(held, strings);
      isStopped = at >= 0;
      const end = isStopped ? at : held.length - heldLength(held, strings);
      const shown = held.slice(0, end);
      held = isStopped ? "" : held.slice(end);
      return { text: shown, isStopped };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

function firstIndex(text: string, strings: readonly string[]): number {
  const places = strings.map((string) => text.indexOf(string)).filter((index) => index >= 0);
  return places.length > 0 ? Math.min(...places) : -1;
}

/** Length of the longest end of `text` that begins one of `strings`. */
function heldLength(text: string, strings: readonly string[]): number {
  const longest = Math.max(0, ...strings.map((string) => string.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (strings.some((string) => string.startsWith(end))) return length;
  }
  return 0;
}
