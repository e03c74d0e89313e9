// What the benchmark and its worker processes say to each other: one JSON object a line, an answer to every command.

/** One example, or one row of several. */
export interface Row {
  readonly inputIds: readonly number[];
  /** −100 where nothing is predicted */
  readonly labels: readonly number[];
  /** where each position's document begins; absent: at 0 */
  readonly starts?: readonly number[];
}

/** One micro-batch, which is one optimiser step: B rows padded on the right to T tokens. */
export interface Batch {
  /** [B, T] */
  readonly inputIds: readonly (readonly number[])[];
  /** [B, T] */
  readonly labels: readonly (readonly number[])[];
  /** [B]: tokens that are not padding */
  readonly lengths: readonly number[];
  /** [B, T]: where each position's document begins, for packed rows; only ours reads it */
  readonly starts?: readonly (readonly number[])[];
}

/** What both sides train: constant learning rate, AdamW without decay, no clipping. */
export interface Training {
  /** a checkpoint's folder */
  readonly model: string;
  /** an adapter's folder in PEFT's format, to begin with */
  readonly adapter: string;
  readonly learningRate: number;
  readonly threads: number;
}

/** How PyTorch and PEFT compute. */
export interface PeerSettings {
  readonly dtype: "float32" | "bfloat16";
  readonly attention: "sdpa" | "eager";
  /** of the LoRA factors; PEFT's own choice is float32 */
  readonly adapterDtype: "float32" | "bfloat16";
  readonly compile: boolean;
}

/** How ours computes: a precision policy of the frozen weights. */
export interface OurSettings {
  readonly precision: string;
}

/** Commands, all obeyed in order; `load` forgets what was loaded before. */
export type Command =
  | ({ readonly command: "load" } & Training & (PeerSettings | OurSettings))
  | { readonly command: "train"; readonly batches: readonly Batch[] }
  | { readonly command: "profile"; readonly batch: Batch; readonly prefix: string };

/** The first line of a worker. */
export interface Hello {
  /** names and versions, for the report */
  readonly versions: Readonly<Record<string, string>>;
  /** the precisions that this build can train in; ours only */
  readonly precisions?: readonly string[];
}

/** The answer to `train`: per step, the time until the loss was known and the weights updated. */
export interface TrainAnswer {
  readonly seconds: readonly number[];
  readonly losses: readonly number[];
}
