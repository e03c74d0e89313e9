// What a language model's weights are held and computed in, by its name for users. Knows which weight is which.
import type { Device, Precision, PrecisionByPath, PrecisionChoice, WeightSource } from "@flacuna/tensor";
import { type LlamaConfig, llamaParameterShapes } from "./config.ts";

/**
 * How a model computes with its weights: as in "float32"; rounded to 16 bits, of which integers are the most exact; or in
 * 8 or 4 bits, with activations rounded in blocks. "int4" keeps the blocks of 4 bits that a checkpoint stores, computes
 * what it stores otherwise in 8 bits, and rounds activations less.
 */
export type ModelPrecision = "float32" | "bfloat16" | "int16" | "float16" | "int8" | "int4";

/** Products of which an error shows in every token: held in 8 bits where a checkpoint has no blocks of its own. */
const HEADS: ReadonlySet<string> = new Set(["lm_head.weight", "model.embed_tokens.weight"]);

/** Products of 4 bits whose rows a byte a value is fine enough for: what they add shows in nothing that can be measured. */
const COARSE = /\.(o|down)_proj\.weight$/;

/** What `compile` is told for `precision`; weights that are no parameters of the model, as adapters', stay in float32. */
export function precisionChoice(
  config: LlamaConfig,
  weights: WeightSource,
  { precision, device }: { readonly precision: ModelPrecision; readonly device: Device },
): PrecisionChoice {
  if (precision === "float32" || precision === "float16") return precision;
  // Other devices compute all products alike.
  if (device !== "cpu" && precision === "bfloat16") return precision;
  const shapes = llamaParameterShapes(config);
  const policyOf = precision === "int4" ? int4Policy(shapes, weights) : () => POLICIES[precision];
  return (path) => (shapes.has(path) ? policyOf(path) : "float32");
}

const POLICIES = { bfloat16: "bfloat16", int16: "int16", int8: "int8Blockwise" } as const satisfies Record<
  string,
  Precision
>;

type Policy = ReturnType<PrecisionByPath>;

function int4Policy(
  shapes: ReadonlyMap<string, readonly number[]>,
  weights: WeightSource,
): (path: string) => Policy {
  const isStored = (path: string) => weights.get(path)?.blocks !== undefined;
  const hasBlocks = [...shapes.keys()].some(isStored);
  const isInt4 = hasBlocks ? isStored : (path: string) => !HEADS.has(path);
  return (path) => {
    if (!isInt4(path)) return "int8BlockwiseFine";
    return COARSE.test(path) ? "int4Blockwise" : "int4BlockwiseFine";
  };
}
