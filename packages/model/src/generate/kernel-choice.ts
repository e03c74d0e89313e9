// Tokens chosen in the program, where the logits are: `selectTokens`, with selections as its arguments and results of its outputs.
import { dim, selectTokens, spec, Tensor, type TensorSpec, type Tracer, type Value } from "@flacuna/tensor";
import type { Selection, StepResult } from "../engine/step-model.ts";

/** The arguments of `selectTokens` beside the logits. */
type Table = "numbers" | "integers" | "seen" | "counts" | "masks";
/** What it gives. */
type Column = "token" | "logProb" | "isGreedy" | "topIds" | "topLogProbs";

/** The choice in the program; see `selectTokens`. It is made for native kernels: without them it takes memory of R·V². */
export interface KernelChoice {
  /** What the program is told about the R places, for a vocabulary of this size. */
  specs(vocabSize: number): Record<Table, TensorSpec>;
  /** What the program gives for logits [R, V] float32; inside `trace()`. */
  choose(logits: Tracer, inputs: Readonly<Record<Table, Tracer>>): Record<Column, Tracer>;
  /** The arguments for `specs`. */
  arguments(selections: readonly Selection[], vocabSize: number): Record<Table, Tensor>;
  /** What the outputs for R places are like. */
  columns(places: number): Record<Column, { dtype: "float32" | "int32"; shape: readonly number[] }>;
  /** One result per selection, from what the program gave, which stays the caller's. */
  results(outputs: Readonly<Record<Column, Value>>, selections: readonly Selection[]): Promise<StepResult[]>;
}

/** @param top the most alternatives that a selection may ask for */
export function kernelChoice(top: number): KernelChoice {
  return {
    specs: (vocabSize) => ({
      numbers: spec("float32", [dim("R"), 8]),
      integers: spec("int32", [dim("R"), 4]),
      seen: spec("int32", [dim("M"), 2]),
      counts: spec("float32", [dim("M"), 2]),
      masks: spec("int32", [dim("Q"), wordsOf(vocabSize)]),
    }),
    choose: (logits, inputs) => ({ ...selectTokens(logits, { ...inputs, top }) }),
    arguments: selectionTables,
    columns: (places) => ({
      token: { dtype: "int32", shape: [places] },
      logProb: { dtype: "float32", shape: [places] },
      isGreedy: { dtype: "int32", shape: [places] },
      topIds: { dtype: "int32", shape: [places, top] },
      topLogProbs: { dtype: "float32", shape: [places, top] },
    }),
    async results(outputs, selections) {
      const read = async (name: Column) =>
        (await outputs[name].toTensor({ copy: false })).data as Int32Array | Float32Array;
      const [token, logProb, isGreedy, topIds, topLogProbs] = await Promise.all(
        (["token", "logProb", "isGreedy", "topIds", "topLogProbs"] as const).map(read),
      );
      return selections.map((selection, row) => ({
        token: token![row]!,
        logProb: logProb![row]!,
        isGreedy: isGreedy![row] === 1,
        top: Array.from({ length: token![row]! < 0 ? 0 : selection.top }, (_, i) => ({
          id: topIds![row * top + i]!,
          logProb: topLogProbs![row * top + i]!,
        })),
      }));
    },
  };
}

/** Words of 32 bits in a mask. */
const wordsOf = (vocabSize: number): number => Math.ceil(vocabSize / 32);

function selectionTables(selections: readonly Selection[], vocabSize: number): Record<Table, Tensor> {
  const masks = [...new Set(selections.flatMap(({ mask }) => mask ?? []))];
  const rowOfMask = new Map(masks.map((mask, row) => [mask, row]));
  const numbers: number[] = [];
  const integers: number[] = [];
  const seen: number[] = [];
  const counts: number[] = [];
  for (const [row, selection] of selections.entries()) {
    const { temperature, topP, minP, uniform, mask, forced } = selection;
    const { repetitionPenalty, frequencyPenalty, presencePenalty } = selection;
    numbers.push(temperature, topP, minP, uniform, repetitionPenalty, frequencyPenalty, presencePenalty, 0);
    integers.push(selection.topK, forced ?? -1, mask === undefined ? -1 : rowOfMask.get(mask)!, 0);
    if (forced !== undefined) continue;
    for (const [id, count, bias] of changesOf(selection)) {
      seen.push(row, id);
      counts.push(count, bias);
    }
  }
  const words = new Int32Array(masks.length * wordsOf(vocabSize));
  for (const [row, mask] of masks.entries()) words.set(mask, row * wordsOf(vocabSize));
  const R = selections.length;
  return {
    numbers: Tensor.fromArray("float32", [R, 8], numbers),
    integers: Tensor.fromArray("int32", [R, 4], integers),
    seen: Tensor.fromArray("int32", [seen.length / 2, 2], seen),
    counts: Tensor.fromArray("float32", [counts.length / 2, 2], counts),
    masks: new Tensor("int32", [masks.length, wordsOf(vocabSize)], words),
  };
}

/** The tokens whose logits a selection changes, each with its count and bias. */
function* changesOf({
  repetitionPenalty,
  frequencyPenalty,
  presencePenalty,
  ...selection
}: Selection): Iterable<readonly [id: number, count: number, bias: number]> {
  const hasPenalty = repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;
  const { seen = new Map<number, number>(), bias = new Map<number, number>() } = selection;
  if (hasPenalty) for (const [id, count] of seen) yield [id, count, bias.get(id) ?? 0];
  for (const [id, amount] of bias) if (!(hasPenalty && seen.has(id))) yield [id, 0, amount];
}
