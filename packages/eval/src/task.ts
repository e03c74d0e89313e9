// What a benchmark is: documents, a prompt, a rule for right and wrong, and an average. A task calls no model.

import type { Estimate } from "./metrics/accuracy.ts";

/** How continuations are drawn. */
export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
}

/** What every document has; each benchmark adds its own fields. */
export interface TaskDocument {
  /** Unique in its task. */
  readonly id: string;
  /** Documents of one group share their exemplars, and so the beginning of their prompts. */
  readonly group: string;
}

/** The judgement of one prediction. */
export interface Judgement {
  readonly isCorrect: boolean;
  /** What was judged, after the benchmark's own clean-up. */
  readonly answer: string;
  /** Why, where right and wrong do not say it all, such as `timeout`. */
  readonly note?: string;
}

/** One judged prediction as {@link Task.aggregate} sees it. */
export interface JudgedSample {
  readonly documentId: string;
  readonly group: string;
  readonly isCorrect: boolean;
}

/** The estimate of one part of a benchmark, such as a subject. */
export interface GroupEstimate extends Estimate {
  readonly kind: string;
  readonly name: string;
}

/** A benchmark's score, its parts, and further metrics by name (pass@10). */
export interface Aggregate extends Estimate {
  readonly groups: readonly GroupEstimate[];
  readonly otherMetrics: Readonly<Record<string, Estimate>>;
}

/** How the score follows from the samples, which decides how two models are compared. */
export type Estimator = "mean over documents" | "mean over groups";

/** A benchmark as data and pure functions; only {@link judge} may wait, for a sandbox. */
export interface Task<Document extends TaskDocument = TaskDocument> {
  readonly name: string;
  /** Moves whenever a prompt, a rule or an average of this package changes. */
  readonly version: number;
  readonly metric: string;
  readonly estimator: Estimator;
  readonly paper: string;
  /** The published setup that prompts, decoding and scoring follow. */
  readonly reference: string;
  /** Exemplars per prompt, unless fewer fit. */
  readonly shots: number;
  /** Exemplars are dropped until the prompt has at most this many tokens. */
  readonly maxInputTokens: number;
  readonly maxNewTokens: number;
  readonly sampling: Sampling;
  /** Predictions per document. */
  readonly samplesPerDocument: number;
  readonly documents: readonly Document[];
  /** SHA-256 of documents and exemplars. */
  readonly datasetHash: string;
  /** The exact text for the model, with the first `shots` exemplars. */
  prompt(document: Document, shots: number): string;
  /** The right answer as a reader wants to see it beside the prediction. */
  gold(document: Document): string;
  judge(document: Document, prediction: string): Judgement | Promise<Judgement>;
  aggregate(samples: readonly JudgedSample[]): Aggregate;
}
