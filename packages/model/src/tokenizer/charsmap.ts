// SentencePiece's compiled rules that rewrite characters (`precompiled_charsmap`), applied with every bound checked: the
// foreign tokenizer ends the process over a damaged one.
import { ModelError } from "../errors.ts";

/**
 * A function that applies the rules in `blob` to a text: at each place the longest rule that matches, else the character
 * stays.
 *
 * @param blob the length of a double-array trie over UTF-8 bytes, the trie, then the replacements, each ending with 0
 * @throws ModelError `MODEL_TOKENIZER_INVALID` when the parts do not fit
 * @see Darts-clone, `DoubleArrayUnit`, for the bits of a trie's unit
 */
export function createCharsmap(blob: Uint8Array): (text: string) => string {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const trieBytes = blob.length < 4 ? Number.NaN : view.getUint32(0, true);
  if (!(trieBytes % 4 === 0 && trieBytes >= 4 && trieBytes <= blob.length - 4)) {
    throw new ModelError(
      "MODEL_TOKENIZER_INVALID",
      "the tokenizer's rules for characters (precompiled_charsmap) are damaged; fetch it again",
    );
  }
  const unit = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const replacements = blob.subarray(4 + trieBytes);
  const utf8 = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** The longest rule that matches `bytes` at `from`: its length and where its replacement begins. */
  function longestRule(bytes: Uint8Array, from: number): { length: number; replacement: number } | undefined {
    let found: { length: number; replacement: number } | undefined;
    let node = childrenOf(unit[0]!);
    for (let at = from; at < bytes.length; at++) {
      node ^= bytes[at]!;
      const entry = unit[node];
      if (entry === undefined || labelOf(entry) !== bytes[at]) break;
      node ^= childrenOf(entry);
      const leaf = hasLeaf(entry) ? unit[node] : undefined;
      if (leaf !== undefined) found = { length: at + 1 - from, replacement: leaf & 0x7fffffff };
    }
    return found;
  }

  return (text) => {
    const bytes = utf8.encode(text);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const rule = longestRule(bytes, at);
      const length = rule?.length ?? characterLength(bytes[at]!);
      parts.push(rule ? stringAt(replacements, rule.replacement) : bytes.subarray(at, at + length));
      at += length;
    }
    return decoder.decode(Buffer.concat(parts));
  };
}

const hasLeaf = (unit: number): boolean => ((unit >>> 8) & 1) === 1;

/** The byte that leads to a node; no byte has the highest bit, which marks a value. */
const labelOf = (unit: number): number => (unit & 0x800000ff) >>> 0;

/** What a node's index is combined with to reach its children. */
const childrenOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

/** The bytes of `blob` from `start` to the next 0. */
function stringAt(blob: Uint8Array, start: number): Uint8Array {
  const end = blob.indexOf(0, start);
  return blob.subarray(start, end < 0 ? blob.length : end);
}

/** Bytes of the UTF-8 character that begins with `byte`. */
function characterLength(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}
