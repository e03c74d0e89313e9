// What "int4" means for a checkpoint that already stores matrices in blocks of 4 bits, but not all of them.
import type { Program } from "../program.ts";
import type { WeightSource } from "../weights.ts";
import type { PrecisionChoice } from "./parts.ts";

/**
 * The choice, such that "int4" rounds nothing of a checkpoint with blocks of 4 bits: what it stores otherwise, such as an
 * output head of 8 bits, is computed in bfloat16. A checkpoint without blocks is rounded to 4 bits throughout, and a
 * choice for each weight is kept.
 */
export function besideStoredBlocks(
  { equations }: Program,
  choice: PrecisionChoice,
  weights: WeightSource,
): PrecisionChoice {
  const hasBlocks = (path: string): boolean => weights.get(path)?.blocks !== undefined;
  const paths = equations.flatMap((each) => (each.primitive === "weight" ? [each.params.path] : []));
  if (choice !== "int4" || !paths.some(hasBlocks)) return choice;
  return (path) => (hasBlocks(path) ? "int4" : "bfloat16");
}
