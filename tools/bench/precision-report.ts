// The results of `pnpm bench precision` as lines for people and as JSON. Measures nothing.
import type { FineTuning } from "./precision-fine-tune.ts";
import type { GradientAgreement } from "./precision-gradient.ts";
import type { Compared } from "./precision-options.ts";
import { mean, relativeDifferences, significant } from "./statistics.ts";

/** float32, which everything is held to. */
export interface Reference {
  /** of each micro-batch that gradients are compared of */
  readonly losses: readonly number[];
  readonly fineTuning: FineTuning;
}

/** One precision beside it. */
export interface PrecisionResult extends Reference {
  readonly precision: Compared;
  /** of each micro-batch */
  readonly gradients: readonly GradientAgreement[];
  /** |difference| / |float32's|; absent for int8 */
  readonly logitsDistance: number | undefined;
}

const WIDTHS = [10, 20, 26, 20, 12, 20, 12];
const HEADER = [
  "",
  "loss",
  "gradient cosine (least)",
  "of A; of B",
  "logits",
  "held-out loss",
  "after / float32's",
];

const line = (cells: readonly string[]): string =>
  cells
    .map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0))
    .join("")
    .trimEnd();

const heldOut = ({ before, after }: FineTuning): string => `${before.toFixed(4)} → ${after.toFixed(4)}`;
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;

export function formatPrecisions(reference: Reference, results: readonly PrecisionResult[]): string[] {
  const expected = mean(reference.losses);
  return [
    line(HEADER),
    line(["float32", expected.toFixed(4), "", "", "", heldOut(reference.fineTuning)]),
    ...results.map(({ precision, losses, gradients, logitsDistance, fineTuning }) => {
      const { cosine, leastCosine, cosineA, cosineB } = cosines(gradients);
      return line([
        precision,
        `${mean(losses).toFixed(4)} (${signed(mean(losses) - expected)})`,
        `${cosine.toFixed(5)} (${leastCosine.toFixed(5)})`,
        `${cosineA.toFixed(4)}; ${cosineB.toFixed(4)}`,
        logitsDistance === undefined ? "" : logitsDistance.toExponential(1),
        heldOut(fineTuning),
        heldOutRatio(fineTuning, reference.fineTuning).toFixed(5),
      ]);
    }),
    ...results.map(
      ({ precision, gradients }) => `${precision}: the factor that agrees least: ${leastFactor(gradients)}`,
    ),
  ];
}

function leastFactor(gradients: readonly GradientAgreement[]): string {
  const { name, cosine } = gradients
    .map(({ worst }) => worst)
    .reduce((least, each) => (each.cosine < least.cosine ? each : least));
  return `${name} ${cosine.toFixed(4)}`;
}

/** Means over the micro-batches, and the least of them. */
const cosines = (gradients: readonly GradientAgreement[]) => ({
  cosine: mean(gradients.map(({ all }) => all)),
  leastCosine: Math.min(...gradients.map(({ all }) => all)),
  cosineA: mean(gradients.map(({ A }) => A)),
  cosineB: mean(gradients.map(({ B }) => B)),
});

const heldOutRatio = (got: FineTuning, expected: FineTuning): number => got.after / expected.after;

/** For the last line of the output: a record of each precision by name. */
export function summarizePrecisions(reference: Reference, results: readonly PrecisionResult[]) {
  const { before, after } = reference.fineTuning;
  const entries = results.map(({ precision, losses, gradients, logitsDistance, fineTuning }) => {
    const { cosine, leastCosine, cosineA, cosineB } = cosines(gradients);
    return [
      precision,
      {
        cosine: significant(cosine, 6),
        heldOutRatio: significant(heldOutRatio(fineTuning, reference.fineTuning), 6),
        leastCosine: significant(leastCosine, 6),
        cosineA: significant(cosineA, 6),
        cosineB: significant(cosineB, 6),
        lossDifference: significant(mean(losses) - mean(reference.losses)),
        logitsDistance: logitsDistance === undefined ? null : significant(logitsDistance),
        heldOut: [fineTuning.before, fineTuning.after].map((loss) => significant(loss, 6)),
        largestStepDifference: significant(
          Math.max(...relativeDifferences(fineTuning.losses, reference.fineTuning.losses)),
        ),
      },
    ] as const;
  });
  return {
    ...Object.fromEntries(entries),
    float32: {
      loss: significant(mean(reference.losses), 6),
      heldOut: [before, after].map((loss) => significant(loss, 6)),
    },
  };
}
