// What the paper published, as data: the rows our results stand beside, each with its source. Nothing is computed here.

/** The five problem-solving benchmarks, in the paper's order. */
export const BENCHMARK_NAMES = ["mmlu", "bbh", "drop", "crass", "humaneval"] as const;

/** One of the five benchmarks. */
export type BenchmarkName = (typeof BENCHMARK_NAMES)[number];

/** The paper being reproduced. */
export const PAPER = {
  title: "Flacuna: Unleashing the Problem Solving Power of Vicuna using FLAN Fine-Tuning",
  authors: "Deepanway Ghosal, Yew Ken Chia, Navonil Majumder, Soujanya Poria",
  year: 2023,
  url: "https://arxiv.org/abs/2307.02053",
} as const;

/** A published row; scores in percent, 0 to 100. */
export interface PublishedRow {
  readonly model: string;
  readonly parameters: string;
  readonly scores: Readonly<Partial<Record<BenchmarkName | "average", number>>>;
  readonly source: string;
}

const REPOSITORY = "declare-lab/flacuna README at 47a8a32";

/** Demonstrations per benchmark in `FEW_SHOT_ROWS`. */
export const FEW_SHOT_COUNTS: Readonly<Record<BenchmarkName, number>> = {
  mmlu: 5,
  bbh: 3,
  drop: 3,
  crass: 3,
  humaneval: 0,
};

/** Few-shot results (paper, Table 2). The average is the unweighted mean of the five. */
export const FEW_SHOT_ROWS = {
  stableVicuna: {
    model: "StableVicuna",
    parameters: "13B",
    scores: { mmlu: 49.2, bbh: 37.5, drop: 34.3, crass: 67.5, humaneval: 15.9, average: 40.9 },
    source: `Table 2; ${REPOSITORY}`,
  },
  vicuna: {
    model: "Vicuna",
    parameters: "13B",
    scores: { mmlu: 50.6, bbh: 37.6, drop: 32.6, crass: 60.9, humaneval: 11.6, average: 38.7 },
    source: `Table 2; ${REPOSITORY}`,
  },
  flacuna: {
    model: "Flacuna",
    parameters: "13B",
    scores: { mmlu: 51.1, bbh: 39.3, drop: 43.6, crass: 74.1, humaneval: 11.0, average: 43.8 },
    source: `Table 2; ${REPOSITORY}`,
  },
} as const satisfies Record<string, PublishedRow>;

/** Zero-shot results (paper, Table 3); DROP and HumanEval are not among them. */
export const ZERO_SHOT_ROWS = {
  stableVicuna: {
    model: "StableVicuna",
    parameters: "13B",
    scores: { mmlu: 47.5, bbh: 18.5, crass: 64.2 },
    source: `Table 3; ${REPOSITORY}`,
  },
  vicuna: {
    model: "Vicuna",
    parameters: "13B",
    scores: { mmlu: 48.3, bbh: 28.3, crass: 65.7 },
    source: `Table 3; ${REPOSITORY}`,
  },
  flacuna: {
    model: "Flacuna",
    parameters: "13B",
    scores: { mmlu: 49.4, bbh: 32.5, crass: 67.9 },
    source: `Table 3; ${REPOSITORY}`,
  },
} as const satisfies Record<string, PublishedRow>;
