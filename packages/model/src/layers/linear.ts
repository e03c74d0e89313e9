// The `Linear` seam: every projection of a model passes through one function, the one hook that adapters use.
import { matmul, type Tracer } from "@flacuna/tensor";

/**
 * The projection of `x` [..., in] by `weight` [out, in] to [..., out].
 *
 * @param path the weight's own name in the checkpoint, such as `model.layers.0.self_attn.q_proj.weight`
 */
export type Linear = (path: string, x: Tracer, weight: Tracer) => Tracer;

/** x · Wᵀ */
export const linear: Linear = (_path, x, weight) => matmul(x, weight, { transposeB: true });
