// The gated feed-forward block. Knows neither weights nor configuration.
import { hadamard, swiglu, type Tracer } from "@flacuna/tensor";

/**
 * down(silu(gate(x)) · up(x))
 *
 * @param x [..., C]
 * @param parts `gate` and `up` from C to F, `down` from F to C; with `hadamard` what `down` reads is multiplied by blocks
 * of a Hadamard matrix
 * @see Shazeer 2020, SwiGLU without biases
 */
export function feedForward(
  x: Tracer,
  parts: {
    readonly gate: Projection;
    readonly up: Projection;
    readonly down: Projection;
    readonly hadamard?: boolean;
  },
): Tracer {
  const activated = swiglu(parts.gate(x), parts.up(x));
  return parts.down(parts.hadamard ? hadamard(activated) : activated);
}

/** A linear map of the last axis. */
export type Projection = (x: Tracer) => Tracer;
