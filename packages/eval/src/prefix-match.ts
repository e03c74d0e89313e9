// The answer rule of the few-shot benchmarks: the stripped prediction begins with the gold text.

import { groupBy } from "./group-by.ts";
import { accuracy, type Estimate } from "./metrics/accuracy.ts";
import { pythonStrip } from "./python-strip.ts";
import type { GroupEstimate, JudgedSample, Judgement } from "./task.ts";

/** Case-sensitive, with nothing normalised: gold `3` accepts `30`, gold `A` accepts `An apple`. */
export function judgePrefix(prediction: string, gold: string): Judgement {
  const answer = pythonStrip(prediction);
  return { isCorrect: answer.startsWith(gold), answer };
}

/** The accuracy over all samples. */
export function sampleAccuracy(samples: readonly JudgedSample[]): Estimate {
  return accuracy(samples.map((sample) => sample.isCorrect));
}

/** The accuracy of each part, in the order in which `nameOf` first yields it; samples without a name are left out. */
export function accuracyByGroup(
  samples: readonly JudgedSample[],
  kind: string,
  nameOf: (group: string) => string | undefined = (group) => group,
): GroupEstimate[] {
  const parts = groupBy(samples, ({ group }) => nameOf(group));
  return [...parts].flatMap(([name, members]) =>
    name === undefined ? [] : [{ kind, name, ...sampleAccuracy(members) }],
  );
}
