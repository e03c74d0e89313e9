// The rotary factors that conversion to GGUF makes of Llama 3.1's scaling, read back. Touches no file.
import type { Llama3RopeScaling } from "../config.ts";
import { rotaryFrequencies } from "../layers/rotary.ts";

/** Every model of Llama 3.1 to 3.3 has these; only `factor` differs. */
const LLAMA_3 = { lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 } as const;

/** Conversion computes the frequencies in float32, and small errors grow by up to `factor`. */
const TOLERANCE = 1e-4;

/**
 * The scaling that divides frequency i by `factors[i]`, or undefined when that is not Llama 3's.
 *
 * @param factors [D/2]
 */
export function ropeScalingOf(
  factors: Float32Array,
  rotary: { readonly headDim: number; readonly theta: number },
): Llama3RopeScaling | undefined {
  const scaling = { factor: factors.reduce((a, b) => Math.max(a, b), 1), ...LLAMA_3 };
  const plain = rotaryFrequencies(rotary);
  const scaled = rotaryFrequencies({ ...rotary, scaling });
  const isSame =
    factors.length === plain.length &&
    factors.every((factor, i) => Math.abs(plain[i]! / scaled[i]! - factor) <= TOLERANCE * factor);
  return isSame ? scaling : undefined;
}
