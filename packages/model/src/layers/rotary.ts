// Rotary position embedding, half-split as in Hugging Face checkpoints: frequencies and angles.
import { constant, cos, type Dim, iota, mul, reshape, sin, Tensor, type Tracer } from "@flacuna/tensor";

/** Which frequencies a model rotates by. */
export interface RotaryOptions {
  /** D, even */
  readonly headDim: number;
  readonly theta: number;
  /** Llama 3.1's scaling of the lower frequencies; none by default */
  readonly scaling?: FrequencyScaling | undefined;
}

/** See `Llama3RopeScaling`. */
export interface FrequencyScaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

/** Cosines and sines of the rotation of each position. */
export interface Rotary<T> {
  /** [T, D/2] */
  readonly cos: T;
  /** [T, D/2] */
  readonly sin: T;
}

/** The D/2 angular frequencies θ^(−2j/D), rounded to float32 as the reference implementation computes with them. */
export function rotaryFrequencies({ headDim, theta, scaling }: RotaryOptions): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, j) => {
    const frequency = Math.fround(1 / Math.fround(theta ** ((2 * j) / headDim)));
    return scaling === undefined ? frequency : scaleFrequency(frequency, scaling);
  });
}

/**
 * Long waves are slowed down by `factor`, short ones kept, those between blended.
 *
 * @see transformers, `_compute_llama3_parameters`
 */
function scaleFrequency(frequency: number, scaling: FrequencyScaling): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = scaling;
  const turns = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
  const blend = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
  return (1 - blend) * (frequency / factor) + blend * frequency;
}

/** The rotation of positions 0 … length − 1 as host tensors [length, D/2], float32. */
export function rotaryTable(length: number, options: RotaryOptions): Rotary<Tensor> {
  const frequencies = rotaryFrequencies(options);
  const shape = [length, frequencies.length];
  const angles = Float32Array.from(
    { length: length * frequencies.length },
    (_, i) => Math.floor(i / frequencies.length) * frequencies[i % frequencies.length]!,
  );
  return {
    cos: new Tensor("float32", shape, angles.map(Math.cos)),
    sin: new Tensor("float32", shape, angles.map(Math.sin)),
  };
}

/** The rotation of positions 0 … length − 1 as part of a program, for a length known only when running. */
export function rotaryAngles(length: Dim, options: RotaryOptions): Rotary<Tracer> {
  const frequencies = rotaryFrequencies(options);
  const row = constant(
    new Tensor("float32", [1, frequencies.length], frequencies as Float32Array<ArrayBuffer>),
  );
  const angles = mul(reshape(iota(length, "float32"), [length, 1]), row);
  return { cos: cos(angles), sin: sin(angles) };
}
