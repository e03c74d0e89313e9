// The parameters of a model before any training.
import { type LlamaConfig, llamaParameterShapes } from "@flacuna/model";
import { deriveSeed, elementCount, randomNormal, Tensor } from "@flacuna/tensor";

/** Standard deviation of every matrix; those that write into the residual stream get it divided by √(2·layers). */
const DEVIATION = 0.02;

const WRITES_RESIDUAL = /\.(o_proj|down_proj)\.weight$/;

/**
 * Random matrices and unit norms, by the checkpoint's names.
 *
 * @see Radford et al. 2019 (GPT-2), §2.3, for the scaled residual writers
 */
export function initialParameters(config: LlamaConfig, seed: number): Record<string, Tensor> {
  const entries = [...llamaParameterShapes(config)].map(([path, shape]) => {
    const count = elementCount(shape);
    if (shape.length === 1)
      return [path, Tensor.fromArray("float32", shape, new Float32Array(count).fill(1))] as const;
    const scale = WRITES_RESIDUAL.test(path) ? DEVIATION / Math.sqrt(2 * config.numHiddenLayers) : DEVIATION;
    const values = randomNormal(deriveSeed(seed, path), count).map((x) => x * scale);
    return [path, Tensor.fromArray("float32", shape, values)] as const;
  });
  return Object.fromEntries(entries);
}
