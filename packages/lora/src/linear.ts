// The adapted projection: y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ, through the model's `Linear` seam.
import type { Linear } from "@flacuna/model";
import { add, dropout, matmul, mul, type Tracer } from "@flacuna/tensor";
import type { LoraTree } from "./adapter.ts";
import { type LoraConfig, scalingOf } from "./config.ts";

/**
 * The projections of a model with an adapter; modules without factors keep the plain product.
 *
 * @param adapter the factors as tracers
 * @param options.seed [] int64: applies the config's dropout to the adapter's input; absent: no dropout
 * @see Hu et al. 2021, equation 3
 */
export function loraLinear(
  adapter: LoraTree<Tracer>,
  config: LoraConfig,
  options: { readonly seed?: Tracer } = {},
): Linear {
  const modules = Object.keys(adapter);
  return (path, x, weight) => {
    const plain = matmul(x, weight, { transposeB: true });
    const module = path.replace(/\.weight$/, "");
    const factors = adapter[module];
    if (factors === undefined) return plain;
    const stream = modules.indexOf(module);
    const input =
      options.seed === undefined ? x : dropout(x, { rate: config.dropout, seed: options.seed, stream });
    const reduced = matmul(input, factors.A, { transposeB: true }); // [..., in] → [..., R]
    return add(plain, mul(matmul(reduced, factors.B, { transposeB: true }), scalingOf(config)));
  };
}
