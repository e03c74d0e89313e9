// The gated feed-forward block over frozen weights held as bytes, up to the residual.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { cast } from "../ops.ts";
import { bindComposite } from "../trace.ts";
import { blockProducts, INT8_BLOCK_LINEAR } from "./block-linear.ts";
import { hadamard } from "./hadamard.ts";
import { INT8_LINEAR } from "./int8-linear.ts";
import { swiglu } from "./swiglu.ts";

/**
 * `int8Linear` for gate and up, `swiglu`, `hadamard` when the attribute says so, and `int8BlockLinear`; what the gradient
 * reads is rounded. See `fuse`.
 */
export const INT8_FEED_FORWARD: Composite = {
  name: "int8FeedForward",
  // (q [..., in padded], scale [..., 1]; packed, scales and row sums of gate and of up [out, in]; packed and scales of down
  // [in, out]; addend [..., in]?) → y [..., in], gate and up [..., out] bfloat16
  define([q, scale, ...rest], { in: width, out, hadamard: isTransformed }) {
    const size = { in: width!, out: out! };
    const [gate, up] = [0, 3].map(
      (at) => bindComposite(INT8_LINEAR, [q!, scale!, ...rest.slice(at, at + 3)], size)[0]!,
    );
    const activated = swiglu(gate!, up!);
    const rows = isTransformed === 1 ? hadamard(activated) : activated;
    const down = { parts: rest.slice(6, 8), out: width! };
    const [y] = blockProducts(INT8_BLOCK_LINEAR, rows, [down], { addend: rest[8] });
    return [y!, cast(gate!, "bfloat16"), cast(up!, "bfloat16")];
  },
  lower: kernel("Int8FeedForward"),
};
