import { describe, expect, it } from "vitest";
import { createUnigramEncoder } from "./unigram-encoder.ts";

const VOCAB: [string, number][] = [
  ["<unk>", 0],
  ["▁", -3],
  ["a", -2.5],
  ["b", -2.75],
  ["ab", -4.5],
  ["▁a", -4],
  ["bab", -6.125],
  ["😀", -9],
];

/** The greatest sum of scores over all ways to cut `text`, by trying them. */
function bestScore(text: string): number {
  if (text === "") return 0;
  const known = VOCAB.slice(1).filter(([token]) => text.startsWith(token));
  return Math.max(...known.map(([token, score]) => score + bestScore(text.slice(token.length))));
}

const scoreOf = (ids: readonly number[]) => ids.reduce((sum, id) => sum + VOCAB[id]![1], 0);

describe("createUnigramEncoder()", () => {
  const encode = createUnigramEncoder({ vocab: VOCAB, unk_id: 0 });

  it("finds the cut of the greatest score", () => {
    for (let n = 0; n < 3 ** 7; n++) {
      const text = n.toString(3).replaceAll("0", "a").replaceAll("1", "b").replaceAll("2", "▁");
      const ids = encode(text);
      expect(ids.map((id) => VOCAB[id]![0]).join("")).toBe(text);
      expect(scoreOf(ids)).toBe(bestScore(text));
    }
  });

  it("writes unknown neighbours as one unknown token, and never half a character", () => {
    expect(encode("xya😀😁")).toEqual([0, 2, 7, 0]);
  });

  it("finds the same in a long text as in its words", () => {
    const ids = encode("▁ab▁bab".repeat(5000));
    expect(ids).toHaveLength(5000 * encode("▁ab▁bab").length);
  });

  it("gives fresh arrays that the caller may change", () => {
    encode("ab").pop();
    expect(encode("ab")).toEqual([4]);
  });

  it("decides between equal cuts by the rounding of their sums", () => {
    const tenths: [string, number][] = [
      ["?", 0],
      ["x", -0.1],
      ["xx", -0.2],
      ["y", -0.3],
    ];
    const cut = (round?: (sum: number) => number) =>
      createUnigramEncoder({ vocab: tenths, unk_id: 0 }, round)("yxxx");
    // −0.3 − 0.2 − 0.1 and −0.3 − 0.1 − 0.2 are not the same in 64 bits, nor in 32.
    expect(cut()).not.toEqual(cut(Math.fround));
  });

  it("falls back to bytes where the vocabulary has them, and takes their names for plain text", () => {
    const bytes = Array.from({ length: 256 }, (_, byte): [string, number] => [
      `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
      0,
    ]);
    const plain: [string, number][] = [..."<0x41>"].map((character) => [character, -5]);
    const vocab = [...VOCAB, ...bytes, ...plain];
    const withBytes = createUnigramEncoder({ vocab, unk_id: 0, byte_fallback: true });
    expect(withBytes("aé")).toEqual([2, VOCAB.length + 0xc3, VOCAB.length + 0xa9]);
    expect(withBytes("<0x41>")).toHaveLength(6);
  });

  it.each([
    [{ vocab: VOCAB }],
    [{ vocab: VOCAB, unk_id: 99 }],
    [{ vocab: VOCAB, unk_id: 0, byte_fallback: true }],
  ])("refuses a model without its unknown or byte tokens", (model) => {
    expect(() => createUnigramEncoder(model)).toThrow(
      expect.objectContaining({ code: "MODEL_TOKENIZER_INVALID" }),
    );
  });
});
