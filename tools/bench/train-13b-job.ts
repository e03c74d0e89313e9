// What `pnpm bench train-13b` asks of its worker processes, and what these answer.
import type { LlamaConfig } from "@flacuna/model";
import type { OperatorTime } from "./profile-step.ts";
import type { SmallPrecision } from "./train-13b-weights.ts";

/** One model, one shape of batch. */
export interface SizeCase {
  readonly config: LlamaConfig;
  readonly precision: SmallPrecision;
  readonly batchSize: number;
  readonly length: number;
}

/** What a worker does, in JSON its argument. */
export interface SizeJob extends SizeCase {
  /** where the weights were written to */
  readonly folder: string;
  readonly threads: number;
  /** measured steps, after one that is not */
  readonly steps: number;
  readonly recompute: boolean;
  readonly savedActivations: "float32" | "bfloat16";
  /** profiles the loss and its gradient instead; the path that the profile's file begins with */
  readonly profilePrefix?: string;
}

/** What a worker measured. Bytes are of its whole process: weights, activations, the runtime, Node.js. */
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

/** Where the time of one loss and its gradient went. */
export interface SizeProfile {
  readonly operators: readonly OperatorTime[];
}
