// The `Linear` seam: every projection of a model passes through one function, the one hook that adapters use.
import { matmul, type Tracer, type WeightSource } from "@flacuna/tensor";

/**
 * The projection of `x` [..., in] by `weight` [out, in] to [..., out].
 *
 * @param path the weight's own name in the checkpoint, such as `model.layers.0.self_attn.q_proj.weight`
 */
export type Linear = (path: string, x: Tracer, weight: Tracer) => Tracer;

/** x · Wᵀ */
export const linear: Linear = (_path, x, weight) => matmul(x, weight, { transposeB: true });

/** Adapters that lie beside a model's weights, one of them chosen for each token; `stackAdapters` of `@flacuna/lora` makes them. */
export interface AdapterStack {
  /** What each is called, in the order of their indices. */
  readonly names: readonly string[];
  /** Their tensors, under paths that the model has not. */
  readonly weights: WeightSource;
  /**
   * The projections of rows x [N, in].
   *
   * @param adapter [N] int32: each row's adapter, 0 for none, 1 for the first of `names`
   */
  linear(adapter: Tracer): Linear;
}
