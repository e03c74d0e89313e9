// The type of a reproduction's result: everything the formatters show, and nothing they have to look up elsewhere.
import type { BenchmarkName } from "../paper.ts";

/** The two models compared: the base, before fine-tuning, and the same model after it. */
export const MODEL_NAMES = ["vicuna", "flacuna"] as const;

/** `vicuna` is the base, `flacuna` the fine-tuned model, whatever checkpoint stands in for them. */
export type ModelName = (typeof MODEL_NAMES)[number];

/** One score of one model. */
export interface BenchmarkScore {
  /** Percent, 0 to 100. */
  readonly score: number;
  /** Standard error of the score, in percentage points. */
  readonly stderr: number;
  /** Items scored. */
  readonly n: number;
  /** For example `accuracy`, `exact match`, `F1`, `pass@1`. */
  readonly metric?: string;
  /** Demonstrations in each prompt. */
  readonly fewShot?: number;
}

/** Scores of one model; a benchmark that was not run is absent, and so then is the average. */
export type ModelScores = Readonly<Partial<Record<BenchmarkName | "average", BenchmarkScore>>>;

/** Any JSON value. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** One point of the loss curve, taken after an optimiser step. */
export interface TrainingPoint {
  readonly step: number;
  /** Mean over the step's response tokens, in nats per token. */
  readonly loss: number;
  readonly learningRate: number;
  /** Norm of the gradient before clipping. */
  readonly gradNorm: number;
}

/** Loss on records that were not trained on, in nats per response token. */
export interface HeldOutLoss {
  readonly before: number;
  readonly after: number;
  /** Records evaluated. */
  readonly n: number;
}

/** One source of the training mixture. */
export interface DataComponent {
  readonly name: string;
  /** Records trained on. */
  readonly count: number;
  /** Records left out, for whatever reason `prepare` had. */
  readonly dropped: number;
  /** Records cut to the longest sequence. */
  readonly truncated: number;
  /** Records of this source in the published FLAN-MINI, where it is part of it. */
  readonly publishedCount?: number;
}

/** One question, answered by both models. */
export interface AnswerSample {
  readonly benchmark: string;
  readonly prompt: string;
  readonly before: string;
  readonly after: string;
  readonly gold: string;
  readonly isBeforeCorrect?: boolean;
  readonly isAfterCorrect?: boolean;
}

/** How long a stage took, and whether its result was taken over from an earlier run. */
export interface StageTiming {
  readonly stage: string;
  readonly seconds: number;
  readonly isReused?: boolean;
}

/** The result of one reproduction. */
export interface Report {
  readonly schemaVersion: 1;
  readonly preset: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** The checkpoint that plays Vicuna here. */
  readonly baseModel: { readonly name: string; readonly parameterCount: number };
  readonly models: Readonly<Record<ModelName, ModelScores>>;
  /** Standard errors of the differences over the same items, where computed; else the two are taken as independent. */
  readonly pairedStderr?: Readonly<Partial<Record<BenchmarkName | "average", number>>>;
  readonly settings: { readonly [key: string]: JsonValue };
  readonly timings: readonly StageTiming[];
  readonly versions: Readonly<Record<string, string>>;
  readonly data: { readonly components: readonly DataComponent[] };
  readonly training: {
    readonly curve: readonly TrainingPoint[];
    /** The held-out split of the FLAN data, and the held-out chat set. */
    readonly heldOut: { readonly flan?: HeldOutLoss; readonly chat?: HeldOutLoss };
    readonly trainableParameterCount?: number;
  };
  readonly samples: readonly AnswerSample[];
  /** Content hashes of inputs and artefacts, by name. */
  readonly hashes: Readonly<Record<string, string>>;
  /** Whatever a reader must know to judge the numbers, one sentence each. */
  readonly notes: readonly string[];
}
