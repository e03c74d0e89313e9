// AdamW, clipping and schedules without a model, held to PyTorch and transformers.
import {
  adamW,
  clipByNorm,
  compile,
  constantSchedule,
  globalNorm,
  isTensor,
  mapTree,
  type Optimizer,
  type Schedule,
  scalar,
  spec,
  Tensor,
  trace,
  warmupCosine,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { mismatches, TOLERANCE, toTensors, worstError } from "./closeness.ts";
import { readGoldenJson } from "./golden-files.ts";

type Lists = Readonly<Record<string, readonly number[]>>;

interface GoldenCase {
  readonly name: string;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number | null;
  readonly gradNorms: readonly number[];
  readonly parameters: readonly Lists[];
}

interface GoldenSchedule {
  readonly schedule: string;
  readonly warmupSteps: number;
  readonly steps: number;
  readonly peak: number;
  readonly learningRates: readonly number[];
}

interface Golden {
  readonly shapes: Lists;
  readonly initial: Lists;
  readonly gradients: readonly Lists[];
  readonly cases: readonly GoldenCase[];
  readonly schedules: readonly GoldenSchedule[];
}

interface Step {
  readonly parameters: Record<string, Tensor>;
  readonly state: unknown;
  readonly norm: Tensor;
}

const golden = await readGoldenJson<Golden>("optimizer.json");

const tensorsOf = (lists: Lists): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(lists).map(([name, values]) => [
      name,
      Tensor.fromArray("float32", golden.shapes[name]!, values),
    ]),
  );

const specsOf = (tree: unknown) => mapTree(tree, isTensor, ({ dtype, shape }) => spec(dtype, shape));

/** (gradients, state, parameters, learning rate) → the next state and parameters, and the norm before clipping. */
function traceStep(optimizer: Optimizer, maxGradNorm: number | null) {
  const specs = specsOf(tensorsOf(golden.initial));
  return trace(
    (gradients, state, parameters, learningRate) => {
      const norm = globalNorm(gradients);
      const clipped = maxGradNorm === null ? gradients : clipByNorm(gradients, norm, maxGradNorm);
      return { ...optimizer.update(clipped, state, parameters, learningRate), norm };
    },
    [specs, specsOf(optimizer.init(specs)), specs, spec("float32", [])] as never,
  );
}

async function runSteps(one: GoldenCase): Promise<Step[]> {
  const optimizer = adamW({ ...one, eps: one.epsilon });
  const executable = await compile(traceStep(optimizer, one.maxGradNorm), { threads: 1 });
  const initial = tensorsOf(golden.initial);
  const steps: Step[] = [];
  let last: Pick<Step, "parameters" | "state"> = { parameters: initial, state: optimizer.init(initial) };
  for (const gradients of golden.gradients) {
    const args = [tensorsOf(gradients), last.state, last.parameters, scalar(one.learningRate)];
    const step = (await toTensors(await executable.run(args))) as Step;
    steps.push(step);
    last = step;
  }
  await executable.dispose();
  return steps;
}

describe("adamW()", () => {
  it.each(golden.cases)("takes the reference's ten steps with $name", async (one) => {
    const steps = await runSteps(one);
    for (const [index, { parameters }] of steps.entries()) {
      const expected = tensorsOf(one.parameters[index]!);
      expect(
        mismatches(parameters, (name) => expected[name]!),
        `step ${index}`,
      ).toEqual({});
    }
    const norms = steps.map(({ norm }) => norm.toNumbers()[0]!);
    expect(worstError(norms, one.gradNorms)).toBeLessThanOrEqual(TOLERANCE);
  });
});

/** The schedules of this project under the reference's names. */
const SCHEDULES: Readonly<Record<string, (golden: GoldenSchedule) => Schedule>> = {
  constant: ({ peak }) => constantSchedule(peak),
  cosine: ({ peak, warmupSteps, steps }) => warmupCosine({ peak, warmupSteps, totalSteps: steps }),
};

describe("schedules", () => {
  const known = golden.schedules.filter(({ schedule }) => schedule in SCHEDULES);

  it.each(known)("follow the reference: $schedule, $warmupSteps of $steps steps of warm-up", (one) => {
    const rate = SCHEDULES[one.schedule]!(one);
    const errors = one.learningRates.map((expected, step) => Math.abs(rate(step) - expected));
    expect(Math.max(...errors)).toBeLessThanOrEqual(1e-12 * one.peak);
  });
});
