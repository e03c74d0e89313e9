// Program to program: the products with frozen weights in the precision asked for, on the device where it runs.
import { TensorError } from "../errors.ts";
import type { Program } from "../program.ts";
import type { Replace } from "../rewrite.ts";
import type { Device } from "../runtime/session.ts";
import { halvesOf } from "./half.ts";
import type { PrecisionChoice } from "./parts.ts";
import { productsOf } from "./policy.ts";

/**
 * How a program is rewritten that computes its products by frozen weights in `choice`; undefined where nothing changes. On the CPU that is a policy of native kernels, whose
 * definitions serve where there are none; "float16", and everything on CUDA, is computed by operators of that dtype.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` for a policy that only the CPU has
 */
export function inPrecision(program: Program, choice: PrecisionChoice, device: Device): Replace | undefined {
  if (choice === "float16") return halvesOf(program, "float16");
  if (device === "cpu" || choice === "float32") return productsOf(program, choice);
  if (choice === "bfloat16") return halvesOf(program, "bfloat16");
  throw new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `compile: ${typeof choice === "string" ? `precision "${choice}"` : "a precision for each weight"} is for the CPU; ` +
      `on ${device} use "bfloat16", "float16" or "float32"`,
  );
}
