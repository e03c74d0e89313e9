import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import type { Composite } from "./composite.ts";
import { crossEntropy } from "./composites/cross-entropy.ts";
import { rmsNorm } from "./composites/rms-norm.ts";
import { swiglu } from "./composites/swiglu.ts";
import { evaluate } from "./evaluate.ts";
import { fuse } from "./fuse.ts";
import { valueAndGrad } from "./grad.ts";
import * as ops from "./ops.ts";
import { applyPrecision } from "./precision/policy.ts";
import { checkProgram, type Program } from "./program.ts";
import type { Value } from "./runtime/value.ts";
import { type HalfDType, saveActivations } from "./saved-activations.ts";
import { dim } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { randomTensor } from "./testing.ts";
import { spec, type Tracer, trace } from "./trace.ts";
import { flatten } from "./tree.ts";

const [B, T] = [dim("B"), dim("T")];
const C = 96;

/** Two gated layers over [B, T, C] and the gradient of their matrices. */
const network = (): Program =>
  trace(
    (x, first, second, gain) => {
      const { value, gradient } = valueAndGrad((matrices: readonly Tracer[]) => {
        const hidden = matrices.reduce((at: Tracer, matrix) => {
          const product = ops.matmul(rmsNorm(at, gain, 1e-5), matrix);
          return ops.add(at, swiglu(product, ops.sin(product)));
        }, x);
        return ops.mean(ops.mul(hidden, hidden));
      })([first, second]);
      return { loss: value, gradient };
    },
    [spec("float32", [B, T, C]), spec("float32", [C, C]), spec("float32", [C, C]), spec("float32", [C])],
  );

const narrowed = (dtype: HalfDType): Program => saveActivations(network(), "loss", dtype);

const normal = (shape: readonly number[], seed: number, scale = 1) => {
  const values = randomTensor(shape, seed).toNumbers();
  return Tensor.fromArray(
    "float32",
    shape,
    values.map((x) => scale * x),
  );
};
const args = [
  normal([1, 3, C], 1),
  normal([C, C], 2, 1 / Math.sqrt(C)),
  normal([C, C], 3, 1 / Math.sqrt(C)),
  normal([C], 4),
];

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, each, n) => sum + each * y[n]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

interface Results<Leaf> {
  readonly loss: Leaf;
  readonly gradient: readonly Leaf[];
}

async function run(program: Program): Promise<{ loss: number; gradient: number[] }> {
  const executable = await compile(program, { threads: 1, kernels: false });
  const results = (await executable.run(args)) as Results<Value>;
  const tensors = await Promise.all(
    flatten(
      results,
      (leaf): leaf is Value => typeof leaf === "object" && leaf !== null && "toTensor" in leaf,
    ).map(({ leaf }) => leaf.toTensor()),
  );
  await executable.dispose();
  const [loss, ...gradient] = tensors.map((tensor) => tensor.toNumbers());
  return { loss: loss![0]!, gradient: gradient.flat() };
}

describe("saveActivations()", () => {
  it.each(["bfloat16", "float16"] as const)("keeps loss and nearly the gradient with %s", async (dtype) => {
    const program = narrowed(dtype);
    checkProgram(program);
    const [exact, rounded] = [await run(network()), await run(program)];
    expect(rounded.loss).toBe(exact.loss);
    expect(cosine(rounded.gradient, exact.gradient)).toBeGreaterThan(0.9999);
    // Not equal: the runtime has not taken the rounding away.
    expect(rounded.gradient).not.toEqual(exact.gradient);
    const oracle = evaluate(program, args) as Results<Tensor>;
    const expected = oracle.gradient.flatMap((each) => each.toNumbers());
    expect(cosine(rounded.gradient, expected)).toBeGreaterThan(0.999999);
  });

  it("lets the gradient read no large activation but in 16 bits", () => {
    const { equations, outputs } = narrowed("bfloat16");
    const lossId = outputs[0]!.variable.id;
    const isActivation = ({ inputs, outputs: [output] }: Program["equations"][number]) =>
      inputs.length > 0 && output!.id <= lossId;
    const forward = new Set(equations.filter(isActivation).flatMap((equation) => equation.outputs));
    const gradient = equations.slice(
      equations.findIndex((equation) => equation.outputs[0]!.id === lossId) + 1,
    );
    const read = gradient.flatMap(({ inputs }) => inputs).filter((variable) => forward.has(variable));
    expect(
      [...new Set(read.map(({ shape }) => String(shape)))].filter((shape) => shape === `B,T,${C}`),
    ).toEqual([]);
    expect(
      gradient.some(
        ({ primitive, outputs: [output] }) => primitive === "cast" && output!.dtype === "float32",
      ),
    ).toBe(true);
  });

  it("lets the runtime join reshapes of a known shape", async () => {
    const shape = [8, 512, C];
    const program = trace(
      (x, matrix) =>
        valueAndGrad((at: Tracer) => {
          const hidden = ops.sin(ops.matmul(x, at));
          const rows = ops.reshape(ops.sin(ops.reshape(hidden, [4096, C])), [2, 2048, C]);
          return ops.mean(ops.mul(rows, ops.reshape(hidden, [2, 2048, C])));
        })(matrix),
      [spec("float32", shape), spec("float32", [C, C])],
    );
    const [exact, rounded] = await Promise.all(
      (["float32", "bfloat16"] as const).map(async (dtype) => {
        const options = { savedActivations: { loss: "value", dtype }, kernels: false };
        const executable = await compile(program, options);
        const { gradient } = (await executable.run([normal(shape, 1), normal([C, C], 2, 0.1)])) as {
          gradient: Value;
        };
        const tensor = await gradient.toTensor();
        await executable.dispose();
        return tensor.toNumbers();
      }),
    );
    expect(cosine(exact!, rounded!)).toBeGreaterThan(0.9999);
    expect(rounded).not.toEqual(exact);
  });

  it("comes after neighbours are joined, so that what one operator keeps in 16 bits is not rounded again", () => {
    const sizes = { gate: [1024, C], up: [1024, C], down: [C, 1024] };
    const product = (x: Tracer, name: keyof typeof sizes) =>
      ops.matmul(x, ops.weight(name, { dtype: "float32", shape: sizes[name] }), { transposeB: true });
    const program = trace(
      (x) =>
        valueAndGrad((at: Tracer) => {
          const y = product(swiglu(product(at, "gate"), product(at, "up")), "down");
          return ops.sum(ops.mul(y, y));
        })(x),
      [spec("float32", [B, T, C])],
    );
    const choice = (path: string, use: string) =>
      path === "down" && use === "linear" ? "int8Blockwise" : "int8";
    const fused = fuse(applyPrecision(program, choice));
    const saved = saveActivations(fused, "value", "bfloat16");
    const casts = ({ equations }: Program) => equations.filter(({ primitive }) => primitive === "cast");
    const names = saved.equations.map(({ params }) => (params as { composite?: Composite }).composite?.name);
    expect(names).toContain("int8FeedForward");
    expect(names).toContain("swigluGradQuantize");
    // The result of the block alone, which the gradient reads, too.
    expect(casts(saved).map(({ outputs: [output] }) => String(output!.shape))).toEqual(
      Array(2).fill(`B,T,${C}`),
    );
  });

  it("names the output that is missing", () => {
    expect(() => saveActivations(network(), "cost", "bfloat16")).toThrow(/no output "cost"/);
  });

  it("leaves small values, weights, arguments and what an exponential is taken of alone", () => {
    const cases = [
      trace((x) => valueAndGrad((at: Tracer) => ops.sum(ops.sin(ops.sin(at))))(x), [spec("float32", [B, 4])]),
      trace((x) => valueAndGrad((at: Tracer) => ops.sum(ops.sin(at)))(x), [spec("float32", [B, T, C])]),
      trace(
        (x, labels) => valueAndGrad((at: Tracer) => ops.sum(crossEntropy(ops.mul(at, 2), labels)))(x),
        [spec("float32", [B, 8192]), spec("int64", [B])],
      ),
    ];
    for (const program of cases) {
      const same = saveActivations(program, "value", "bfloat16");
      expect(same.equations).toEqual(program.equations);
    }
  });
});
