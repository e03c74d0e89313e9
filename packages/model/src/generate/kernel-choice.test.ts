import { compile, dim, spec, Tensor, trace, type Value } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import type { Selection, StepResult } from "../engine/step-model.ts";
import { GREEDY } from "../fixtures/selection.ts";
import { kernelChoice } from "./kernel-choice.ts";
import { selectToken } from "./select-token.ts";

const V = 100;
const TOP = 4;

/** Numbers in [0, 1) from a fixed sequence. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const random = createRandom(7);
const oneOf = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
const someIds = (count: number) => Array.from({ length: count }, () => Math.floor(random() * V));

function randomLogits(): Float32Array {
  const hasTies = random() < 0.3;
  return Float32Array.from({ length: V }, () => {
    const logit = 8 * random() - 4;
    return hasTies ? Math.round(logit) : logit;
  });
}

function randomSelection(): Selection {
  return {
    temperature: oneOf(0, 0.4, 1, 1, 2.5),
    topK: oneOf(0, 0, 1, 3, 40, V, 2 * V),
    topP: oneOf(1, 1, 0.9, 0.5, 0.01),
    minP: oneOf(0, 0, 0.05, 1),
    uniform: random(),
    repetitionPenalty: oneOf(1, 1, 1.3),
    frequencyPenalty: oneOf(0, 0.5),
    presencePenalty: oneOf(0, -0.25),
    top: oneOf(0, 2, TOP),
    ...(random() < 0.2 && { forced: Math.floor(random() * V) }),
    ...(random() < 0.5 && { seen: new Map(someIds(10).map((id) => [id, oneOf(1, 2, 5)])) }),
    ...(random() < 0.4 && { bias: new Map(someIds(10).map((id) => [id, 6 * random() - 3])) }),
    ...(random() < 0.4 && { mask: Int32Array.from({ length: 4 }, () => (random() * 2 ** 32) | 1) }),
  };
}

/** What the program chooses. */
async function chooseInProgram(
  logits: readonly Float32Array[],
  selections: readonly Selection[],
): Promise<StepResult[]> {
  const choice = kernelChoice(TOP);
  const program = trace(
    (rows, inputs) => choice.choose(rows, inputs),
    [spec("float32", [dim("R"), V]), choice.specs(V)],
  );
  const executable = await compile(program);
  const rows = Tensor.fromArray(
    "float32",
    [logits.length, V],
    logits.flatMap((row) => [...row]),
  );
  const outputs = (await executable.run([rows, choice.arguments(selections, V)])) as Record<
    keyof ReturnType<typeof choice.choose>,
    Value
  >;
  const results = await choice.results(outputs, selections);
  for (const value of Object.values(outputs)) value.dispose();
  await executable.dispose();
  return results;
}

const rounded = ({ token, logProb, isGreedy, top }: StepResult) => ({
  token,
  logProb: logProb.toFixed(4),
  isGreedy,
  top: top.map((each) => `${each.id}: ${each.logProb.toFixed(4)}`),
});

describe("kernelChoice()", () => {
  it("chooses as selectToken() does, whatever is asked for", async () => {
    const logits = Array.from({ length: 200 }, randomLogits);
    const selections = logits.map(randomSelection);
    const results = await chooseInProgram(logits, selections);
    for (const [row, selection] of selections.entries()) {
      const expected = selectToken(logits[row]!, selection);
      expect(rounded(results[row]!), JSON.stringify(selection)).toEqual(rounded(expected));
    }
  });

  it("needs neither penalties nor masks", async () => {
    const selection = { ...GREEDY, top: 1 };
    const logits = Float32Array.from({ length: V }, (_, id) => Math.sin(id));
    expect(await chooseInProgram([logits], [selection])).toMatchObject([
      { token: 33, isGreedy: true, top: [{ id: 33 }] },
    ]);
  });

  it("gives −1 where selectToken() does", async () => {
    const finite = randomLogits();
    const broken = randomLogits();
    broken[V - 1] = Number.NaN;
    const selection = { ...GREEDY, temperature: 1, top: 2, mask: new Int32Array(4) };
    const results = await chooseInProgram([finite, broken], [selection, selection]);
    expect(results.map(({ token }) => token)).toEqual([-1, -1]);
    expect(selectToken(finite, selection).token).toBe(-1);
    expect(selectToken(broken, selection).token).toBe(-1);
  });
});
