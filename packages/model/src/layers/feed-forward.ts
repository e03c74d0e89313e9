// The gated feed-forward block. Knows neither weights nor configuration.
import { swiglu, type Tracer } from "@flacuna/tensor";

/**
 * down(silu(gate(x)) · up(x))
 *
 * @param x [B, T, C]
 * @param projections `gate` and `up` from C to F, `down` from F to C
 * @see Shazeer 2020, SwiGLU without biases
 */
export function feedForward(
  x: Tracer,
  projections: { readonly gate: Projection; readonly up: Projection; readonly down: Projection },
): Tracer {
  const { gate, up, down } = projections;
  return down(swiglu(gate(x), up(x)));
}

/** A linear map of the last axis. */
export type Projection = (x: Tracer) => Tracer;
