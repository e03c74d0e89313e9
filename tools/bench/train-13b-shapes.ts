// The models that `pnpm bench train-13b` trains: shapes of known models, for weights that are random.
import type { LlamaConfig } from "@flacuna/model";

type Sizes = Pick<
  LlamaConfig,
  | "vocabSize"
  | "hiddenSize"
  | "intermediateSize"
  | "numHiddenLayers"
  | "numAttentionHeads"
  | "numKeyValueHeads"
>;

/** With an output head of its own, which takes no more memory than a tied one: a head and a table are held in two forms. */
const shapeOf = (sizes: Sizes): LlamaConfig => ({
  ...sizes,
  headDim: sizes.hiddenSize / sizes.numAttentionHeads,
  maxPositionEmbeddings: 2048,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  tieWordEmbeddings: false,
});

/** SmolLM2-135M, TinyLlama-1.1B, LLaMA-7B and LLaMA-13B. */
export const SHAPES = {
  "135m": shapeOf({
    vocabSize: 49_152,
    hiddenSize: 576,
    intermediateSize: 1536,
    numHiddenLayers: 30,
    numAttentionHeads: 9,
    numKeyValueHeads: 3,
  }),
  "1.1b": shapeOf({
    vocabSize: 32_000,
    hiddenSize: 2048,
    intermediateSize: 5632,
    numHiddenLayers: 22,
    numAttentionHeads: 32,
    numKeyValueHeads: 4,
  }),
  "7b": shapeOf({
    vocabSize: 32_000,
    hiddenSize: 4096,
    intermediateSize: 11_008,
    numHiddenLayers: 32,
    numAttentionHeads: 32,
    numKeyValueHeads: 32,
  }),
  "13b": shapeOf({
    vocabSize: 32_000,
    hiddenSize: 5120,
    intermediateSize: 13_824,
    numHiddenLayers: 40,
    numAttentionHeads: 40,
    numKeyValueHeads: 40,
  }),
} as const satisfies Record<string, LlamaConfig>;

export type ShapeName = keyof typeof SHAPES;
