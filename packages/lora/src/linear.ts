// The adapted projection: y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ, through the model's `Linear` seam.
import type { Coordinates, Linear } from "@flacuna/model";
import { add, dropout, matmul, mul, type Tracer } from "@flacuna/tensor";
import type { LoraPair, LoraTree } from "./adapter.ts";
import { type LoraConfig, scalingOf } from "./config.ts";

/** What can be changed about adapted projections. */
export interface LoraLinearOptions {
  /** [] int64: applies the config's dropout to the adapter's input; absent: no dropout */
  readonly seed?: Tracer;
  /**
   * Brings the factors to the coordinates of the projection whose weight has the given path, as those of a rotated
   * checkpoint; undefined where they fit as they are. Dropout drops elements of the input in the model's coordinates.
   */
  readonly coordinates?: (path: string) => Coordinates | undefined;
}

/**
 * The projections of a model with an adapter; modules without factors keep the plain product.
 *
 * @param adapter the factors as tracers, in the checkpoint's own coordinates
 * @see Hu et al. 2021, equation 3
 */
export function loraLinear(
  adapter: LoraTree<Tracer>,
  config: LoraConfig,
  { seed, coordinates }: LoraLinearOptions = {},
): Linear {
  const modules = Object.keys(adapter);
  return (path, x, weight) => {
    const plain = matmul(x, weight, { transposeB: true });
    const module = path.replace(/\.weight$/, "");
    const factors = adapter[module];
    if (factors === undefined) return plain;
    const { A, B } = inCoordinates(factors, coordinates?.(path));
    const stream = modules.indexOf(module);
    const input = seed === undefined ? x : dropout(x, { rate: config.dropout, seed, stream });
    const reduced = matmul(input, A, { transposeB: true }); // [..., in] → [..., R]
    return add(plain, matmul(mul(reduced, scalingOf(config)), B, { transposeB: true }));
  };
}

const inCoordinates = ({ A, B }: LoraPair<Tracer>, coordinates?: Coordinates): LoraPair<Tracer> =>
  coordinates === undefined ? { A, B } : { A: coordinates.toInput(A), B: coordinates.toOutput(B) };
