import { describe, expect, it } from "vitest";
import { evaluate } from "../evaluate.ts";
import { randomNormal } from "../random.ts";
import { scalar, Tensor } from "../tensor.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { type AdamWOptions, type AdamWState, adamW, parameterCount } from "./adamw.ts";

const SHAPES = { weight: spec("float32", [2, 3]), bias: spec("float32", [3]) };
type Name = keyof typeof SHAPES;
const NAMES = ["weight", "bias"] as const;
const SIZES: Readonly<Record<Name, number>> = { weight: 6, bias: 3 };

const learningRateAt = (step: number): number => 0.1 / (step + 1);
const draw = (name: Name, step: number): Float32Array =>
  Float32Array.from(randomNormal(100 * step + SIZES[name], SIZES[name]));

/** Ten steps of the traced optimiser. */
function traced(options: AdamWOptions): Record<Name, number[]> {
  const optimizer = adamW(options);
  const tensor = (name: Name, data: Float32Array<ArrayBuffer>) =>
    new Tensor("float32", SHAPES[name].shape as number[], data);
  const tree = (step: number) =>
    Object.fromEntries(NAMES.map((name) => [name, tensor(name, Float32Array.from(draw(name, step)))]));
  const moments = { mean: SHAPES, variance: SHAPES };
  const program = trace(
    (gradients, state, parameters, rate) =>
      optimizer.update(gradients, state as AdamWState<Tracer>, parameters, rate),
    [SHAPES, { step: spec("float64", []), ...moments }, SHAPES, spec("float32", [])],
  );
  let parameters: unknown = tree(0);
  let state: unknown = optimizer.init(SHAPES);
  for (let step = 0; step < 10; step++) {
    const args = [tree(step + 1), state, parameters, scalar(learningRateAt(step), "float32")];
    ({ parameters, state } = evaluate(program, args) as { parameters: unknown; state: unknown });
  }
  return Object.fromEntries(
    NAMES.map((name) => [name, (parameters as Record<Name, Tensor>)[name].toNumbers()]),
  ) as Record<Name, number[]>;
}

/** The same in float64 by plain loops, from algorithm 2 of Loshchilov & Hutter 2019. */
function plain({
  beta1 = 0.9,
  beta2 = 0.999,
  eps = 1e-8,
  weightDecay = 0,
  decays = () => true,
}: AdamWOptions) {
  const result = {} as Record<Name, number[]>;
  for (const name of NAMES) {
    const theta = [...draw(name, 0)];
    const [m, v] = [theta.map(() => 0), theta.map(() => 0)];
    for (let t = 1; t <= 10; t++) {
      const gradient = draw(name, t);
      const rate = learningRateAt(t - 1);
      for (let n = 0; n < theta.length; n++) {
        m[n] = beta1 * m[n]! + (1 - beta1) * gradient[n]!;
        v[n] = beta2 * v[n]! + (1 - beta2) * gradient[n]! ** 2;
        const corrected = v[n]! / (1 - beta2 ** t);
        if (decays(name)) theta[n]! -= rate * weightDecay * theta[n]!;
        theta[n]! -= (rate * (m[n]! / (1 - beta1 ** t))) / (Math.sqrt(corrected) + eps);
      }
    }
    result[name] = theta;
  }
  return result;
}

describe("adamW()", () => {
  it.each<[string, AdamWOptions]>([
    ["with its defaults", {}],
    ["with other moments and a large epsilon", { beta1: 0.8, beta2: 0.95, eps: 1e-2 }],
    ["with weight decay", { weightDecay: 0.3 }],
    ["with weight decay of some parameters", { weightDecay: 0.3, decays: (path) => path === "weight" }],
  ])("%s equals a plain float64 loop over ten steps", (_, options) => {
    const [got, expected] = [traced(options), plain(options)];
    for (const name of NAMES) {
      // float32 rounding of ten updates of size 0.1
      const errors = got[name].map((value, n) => Math.abs(value - expected[name][n]!));
      expect(Math.max(...errors)).toBeLessThan(3e-6);
    }
  });

  it("decays what it is told to", () => {
    const decays = (path: string) => path === "weight";
    const [all, some, none] = [{ weightDecay: 0.3 }, { weightDecay: 0.3, decays }, {}].map(traced);
    expect(some!.weight).toEqual(all!.weight);
    expect(some!.bias).toEqual(none!.bias);
    expect(all!.bias).not.toEqual(none!.bias);
  });
});

describe("parameterCount()", () => {
  it("adds up the elements of every leaf", () => expect(parameterCount(SHAPES)).toBe(9));
});
