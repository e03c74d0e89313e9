// What 4 bits mean for a checkpoint that already stores matrices in blocks of 4 bits, but not all of them.
import type { Program } from "../program.ts";
import type { WeightSource } from "../weights.ts";
import type { Policy, PrecisionChoice } from "./parts.ts";

/** What weights that are not stored in blocks of 4 bits are computed in, where others are. */
const BESIDE = {
  int4: "bfloat16",
  int4Blockwise: "int8Blockwise",
  int4BlockwiseFine: "int8BlockwiseFine",
} as const satisfies { readonly [P in Policy]?: Policy };

const isIn4Bits = (choice: PrecisionChoice): choice is keyof typeof BESIDE =>
  typeof choice === "string" && Object.hasOwn(BESIDE, choice);

/**
 * The choice, such that 4 bits take away nothing more from a checkpoint with blocks of 4 bits: what it stores otherwise,
 * such as an output head of 8 bits, is computed in bfloat16 beside "int4", and in blocks of 8 bits beside blocks of 4. A
 * checkpoint without blocks is rounded to 4 bits throughout, and a choice for each weight is kept.
 */
export function besideStoredBlocks(
  { equations }: Program,
  choice: PrecisionChoice,
  weights: WeightSource,
): PrecisionChoice {
  const hasBlocks = (path: string): boolean => weights.get(path)?.blocks !== undefined;
  const paths = equations.flatMap((each) => (each.primitive === "weight" ? [each.params.path] : []));
  if (!isIn4Bits(choice) || !paths.some(hasBlocks)) return choice;
  return (path) => (hasBlocks(path) ? choice : BESIDE[choice]);
}
