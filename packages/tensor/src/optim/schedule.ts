// Learning rates as pure functions of the update number.

/** The learning rate of update number `step`, counted from 0. */
export type Schedule = (step: number) => number;

/** The same rate throughout. */
export const constantSchedule =
  (learningRate: number): Schedule =>
  () =>
    learningRate;

/**
 * Linear warm-up from 0, then half a cosine to 0. The first update has rate 0 whenever there is a warm-up.
 *
 * @see transformers' get_cosine_schedule_with_warmup; Flacuna's recipe (arXiv 2307.02053, §3)
 */
export function warmupCosine(options: {
  readonly peak: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}): Schedule {
  const { peak, warmupSteps, totalSteps } = options;
  return (step) => {
    if (step < warmupSteps) return (peak * step) / Math.max(1, warmupSteps);
    const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
    return peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  };
}
