// The bytes that tokens stand for, from their spelling in a vocabulary. Joins no tokens to text.

/** The bytes of a token spelled so. */
export type TokenBytes = (spelling: string) => Uint8Array;

const utf8 = new TextEncoder();

/** The reading that the `decoder` of a `tokenizer.json` asks for: byte-level BPE, or SentencePiece with its byte tokens. */
export function createTokenBytes(decoder: unknown): TokenBytes {
  const text = JSON.stringify(decoder ?? null);
  return text.includes('"ByteLevel"') ? byteLevel : sentencePiece;
}

/** Bytes that byte-level BPE spells by the character of the same number: printable ones. */
const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** Characters of byte-level BPE to bytes: the others are spelled by U+0100 and on, in their order. */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 256 }, (_, byte) => byte)
    .sort((a, b) => Number(isPrintable(b)) - Number(isPrintable(a)) || a - b)
    .map((byte, index, { length }) => {
      const printable = length - 68;
      return [String.fromCharCode(isPrintable(byte) ? byte : 0x100 + index - printable), byte];
    }),
);

function byteLevel(spelling: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of spelling) {
    const byte = BYTE_OF_CHARACTER.get(character);
    // Added tokens may be spelled in characters of any kind.
    if (byte === undefined) bytes.push(...utf8.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function sentencePiece(spelling: string): Uint8Array {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(spelling);
  return byte ? Uint8Array.of(Number.parseInt(byte[1]!, 16)) : utf8.encode(spelling.replaceAll("▁", " "));
}
