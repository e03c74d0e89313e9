import { describe, expect, it } from "vitest";
import { formatTokenizerJson, trainTokenizer } from "./train-tokenizer.ts";

describe("trainTokenizer()", () => {
  it("reserves LLaMA's first ids for the special tokens and the bytes", () => {
    const { pieces } = trainTokenizer(["a b"], { vocabSize: 300 });
    expect([pieces[0], pieces[1], pieces[2], pieces[3], pieces[13], pieces[258]]).toEqual([
      "<unk>",
      "<s>",
      "</s>",
      "<0x00>",
      "<0x0A>",
      "<0xFF>",
    ]);
  });

  it("merges the most frequent pair first and the first in text order among equals", () => {
    const { merges } = trainTokenizer(["abab abab xy xy"], { vocabSize: 400 });
    expect(merges.slice(0, 2)).toEqual([
      ["a", "b"],
      ["ab", "ab"],
    ]);
  });

  it("never merges digits, newlines or across words", () => {
    const { merges } = trainTokenizer(["12 12 12\ncat dog cat dog 3cat3"], { vocabSize: 400 });
    const joined = merges.map(([left, right]) => left + right);
    expect(joined.filter((piece) => /[0-9\n]|.▁/.test(piece))).toEqual([]);
  });

  it("writes every merge so that both parts and the result are pieces", () => {
    const trained = trainTokenizer(["the cat sat on the mat. the end"], { vocabSize: 400 });
    const { model } = JSON.parse(formatTokenizerJson(trained)) as {
      model: { vocab: Record<string, number>; merges: string[] };
    };
    const known = (piece: string): boolean => model.vocab[piece] !== undefined;
    expect(
      model.merges.every((merge) => merge.split(" ").every(known) && known(merge.replace(" ", ""))),
    ).toBe(true);
  });
});
