// What 4 bits mean for a checkpoint that already stores matrices in blocks of 4 bits, but not all of them.
import type { Program } from "../program.ts";
import type { WeightSource } from "../weights.ts";
import type { PrecisionChoice } from "./parts.ts";

/** What weights that are not stored in blocks of 4 bits are computed in, where others are. */
const BESIDE: { readonly [choice: string]: "bfloat16" | "int8Blockwise" } = {
  int4: "bfloat16",
  int4Blockwise: "int8Blockwise",
};

/**
 * The choice, such that 4 bits take away nothing more from a checkpoint with blocks of 4 bits: what it stores otherwise,
 * such as an output head of 8 bits, is computed in bfloat16 beside "int4", in "int8Blockwise" beside "int4Blockwise". A
 * checkpoint without blocks is rounded to 4 bits throughout, and a choice for each weight is kept.
 */
export function besideStoredBlocks(
  { equations }: Program,
  choice: PrecisionChoice,
  weights: WeightSource,
): PrecisionChoice {
  const hasBlocks = (path: string): boolean => weights.get(path)?.blocks !== undefined;
  const paths = equations.flatMap((each) => (each.primitive === "weight" ? [each.params.path] : []));
  if (choice !== "int4" && choice !== "int4Blockwise") return choice;
  if (!paths.some(hasBlocks)) return choice;
  return (path) => (hasBlocks(path) ? choice : BESIDE[choice]!);
}
