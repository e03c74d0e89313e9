// What `pnpm bench train-13b` asks of its worker processes, and what these answer.
import type { OperatorTime } from "./profile-step.ts";
import type { ShapeName } from "./train-13b-shapes.ts";
import type { SmallPrecision } from "./train-13b-weights.ts";

/** One model, one shape of batch. */
export interface SizeCase {
  readonly shape: ShapeName;
  /** of the shape's layers, the first so many */
  readonly layers: number;
  readonly precision: SmallPrecision;
  readonly batchSize: number;
  readonly length: number;
}

export interface SizeJob extends SizeCase {
  readonly folder: string;
  readonly threads: number;
  /** measured steps, after one that is not */
  readonly steps: number;
  readonly recompute: boolean;
  readonly savedActivations: "float32" | "bfloat16";
  /** profiles the loss and its gradient instead; the path that the profile's file begins with */
  readonly profilePrefix?: string;
}

/** Bytes are of the whole process: weights, activations, the runtime, Node.js. */
export interface SizeMeasurement {
  /** resident when the trainer was ready */
  readonly readyBytes: number;
  /** most that was resident until then */
  readonly loadPeakBytes: number;
  /** most that was resident, from the start of the process to the end of the last step */
  readonly peakBytes: number;
  readonly loadSeconds: number;
  /** of each measured step: forward, backward, update */
  readonly seconds: readonly number[];
  readonly losses: readonly number[];
}

export interface SizeProfile {
  readonly operators: readonly OperatorTime[];
}
