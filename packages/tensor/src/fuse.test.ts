import { describe, expect, it } from "vitest";
import { hadamard } from "./composites/hadamard.ts";
import { quantizeRows } from "./composites/quantize-rows.ts";
import { rmsNorm } from "./composites/rms-norm.ts";
import { swiglu } from "./composites/swiglu.ts";
import { evaluate, isTensor } from "./evaluate.ts";
import { fuse } from "./fuse.ts";
import { valueAndGrad, vjp } from "./grad.ts";
import { add, cast, matmul, mul, sum, weight } from "./ops.ts";
import { applyPrecision } from "./precision/policy.ts";
import { withParts } from "./precision/weights.ts";
import type { Program } from "./program.ts";
import { Tensor } from "./tensor.ts";
import { randomTensor, relativeError } from "./testing.ts";
import { spec, type Tracer, trace } from "./trace.ts";
import { flatten } from "./tree.ts";
import { weightsFrom } from "./weights.ts";

const names = (program: Program): string[] =>
  program.equations.flatMap((equation) =>
    equation.primitive === "composite" ? [equation.params.composite.name] : [],
  );

const f32 = (shape: readonly number[], seed: number) => randomTensor(shape, seed, "float32");

/** Largest difference between the outputs of a program before and after fusing. */
function fusedError(program: Program, args: readonly Tensor[], weights = new Map<string, Tensor>()): number {
  const run = (each: Program) => flatten(evaluate(each, args, weights), isTensor).map(({ leaf }) => leaf);
  const [before, after] = [run(program), run(fuse(program))];
  return Math.max(...before.map((tensor, index) => relativeError(after[index]!, tensor)));
}

/** The parts of the weights that a program names. */
async function partsIn(program: Program, tensors: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const source = withParts(weightsFrom(tensors));
  const parts = new Map<string, Tensor>();
  for (const equation of program.equations) {
    if (equation.primitive !== "weight") continue;
    parts.set(equation.params.path, await source.get(equation.params.path)!.read());
  }
  return parts;
}

const outputs = ({ q, scale }: { q: Tracer; scale: Tracer }) => [cast(q, "float32"), scale];

describe("fuse()", () => {
  it("normalises and quantises in one pass, and keeps the normalised rows for others", () => {
    const program = trace(
      (x, gain) => {
        const y = rmsNorm(x, gain, 1e-5);
        return [y, ...outputs(quantizeRows(y))];
      },
      [spec("float32", [3, 70]), spec("float32", [70])],
    );
    expect(names(fuse(program))).toEqual(["rmsNormQuantize"]);
    expect(fusedError(program, [f32([3, 70], 1), f32([70], 2)])).toBe(0);
  });

  it("activates, transforms and quantises in one pass", () => {
    const program = trace(
      (gate, up) => outputs(quantizeRows(hadamard(swiglu(gate, up)))),
      [spec("float32", [3, 64]), spec("float32", [3, 64])],
    );
    expect(names(fuse(program))).toEqual(["swigluQuantize"]);
    expect(fusedError(program, [f32([3, 64], 1), f32([3, 64], 2)])).toBe(0);
  });

  it.each(["int8Blockwise", "int4Blockwise"] as const)(
    "joins up to three products of the same rows in %s, and adds to the others",
    async (precision) => {
      const outs = [48, 17, 80, 64, 32];
      const tensors = new Map(outs.map((out, index) => [`w${index}`, f32([out, 32], index)]));
      const product = (x: Tracer, index: number) =>
        matmul(x, weight(`w${index}`, { dtype: "float32", shape: [outs[index]!, 32] }), { transposeB: true });
      const traced = trace(
        (x) => [...[0, 1, 2, 3].map((index) => product(x, index)), add(x, product(x, 4))],
        [spec("float32", [5, 32])],
      );
      const program = applyPrecision(traced, precision);
      const name = precision === "int8Blockwise" ? "int8BlockLinear" : "int4BlockLinear";
      expect(names(fuse(program))).toEqual([`${name}3`, name, name]);
      expect(fuse(program).equations.some(({ primitive }) => primitive === "add")).toBe(false);
      expect(fusedError(program, [f32([5, 32], 9)], await partsIn(program, tensors))).toBe(0);
    },
  );

  it("leaves apart products that round the same rows in different ways", () => {
    const product = (x: Tracer, path: string) =>
      matmul(x, weight(path, { dtype: "float32", shape: [32, 32] }), { transposeB: true });
    const traced = trace(
      (x) => ["a", "fine", "b"].map((path) => product(x, path)),
      [spec("float32", [5, 32])],
    );
    const program = applyPrecision(traced, (path) =>
      path === "fine" ? "int8BlockwiseFine" : "int8Blockwise",
    );
    expect(names(fuse(program))).toEqual(["int8BlockLinear2", "int8BlockLinear"]);
  });

  it.each([false, true])(
    "normalises and activates rows in the products that alone read them, transformed: %s",
    async (isTransformed) => {
      const tensors = new Map([0, 1, 2].map((index) => [`w${index}`, f32([64, 64], index)]));
      const product = (x: Tracer, index: number) =>
        matmul(x, weight(`w${index}`, { dtype: "float32", shape: [64, 64] }), { transposeB: true });
      const block = (isRead: boolean) =>
        applyPrecision(
          trace(
            (x, gain) => {
              const rows = rmsNorm(x, gain, 1e-5);
              const h = swiglu(product(rows, 0), product(rows, 1));
              const y = add(x, product(isTransformed ? hadamard(h) : h, 2));
              return { y, ...(isRead && { rows, h }) };
            },
            [spec("float32", [5, 64]), spec("float32", [64])],
          ),
          "int8Blockwise",
        );
      const program = block(false);
      const activation = isTransformed ? ["swiglu", "hadamard"] : ["swiglu"];
      expect(names(fuse(program))).toEqual(["int8BlockLinear2", "int8BlockLinear"]);
      expect(names(fuse(block(true)))).toEqual([
        "rmsNorm",
        "int8BlockLinear2",
        ...activation,
        "int8BlockLinear",
      ]);
      expect(fusedError(program, [f32([5, 64], 8), f32([64], 9)], await partsIn(program, tensors))).toBe(0);
    },
  );

  it.each([64, 70])(
    "computes a feed-forward block of %d in one operator, and keeps what its gradient reads in 16 bits",
    async (inner) => {
      const shapes = { gate: [inner, 32], up: [inner, 32], down: [32, inner] };
      const tensors = new Map(Object.entries(shapes).map(([name, shape], seed) => [name, f32(shape, seed)]));
      const product = (x: Tracer, name: keyof typeof shapes) =>
        matmul(x, weight(name, { dtype: "float32", shape: shapes[name] }), { transposeB: true });
      const block = (isRead: boolean) =>
        applyPrecision(
          trace(
            (x) =>
              valueAndGrad((at: Tracer) => {
                const gate = product(at, "gate");
                const h = swiglu(gate, product(at, "up"));
                const y = add(at, product(inner === 64 ? hadamard(h) : h, "down"));
                return sum(isRead ? mul(y, sum(gate)) : mul(y, y));
              })(x),
            [spec("float32", [5, 32])],
          ),
          (path, use) => (path === "down" && use === "linear" ? "int8Blockwise" : "int8"),
        );
      const program = block(false);
      const fused = fuse(program);
      expect(names(fused)).toEqual([
        "quantizeRows",
        "int8FeedForward",
        "quantizeRows",
        "int8LinearTransposed",
        "swigluGradQuantize",
        "int8LinearTransposed",
        "int8LinearTransposed",
      ]);
      const gradient = fused.equations.find(
        ({ primitive, params }) =>
          primitive === "composite" &&
          (params as { composite: { name: string } }).composite.name === "swigluGradQuantize",
      );
      expect(gradient!.inputs.slice(1, 3).map(({ dtype }) => dtype)).toEqual(["bfloat16", "bfloat16"]);
      const small = Tensor.fromArray(
        "float32",
        [5, 32],
        f32([5, 32], 8)
          .toNumbers()
          .map((value) => value / 100),
      );
      expect(fusedError(program, [small], await partsIn(program, tensors))).toBeLessThan(2e-2);
      expect(names(fuse(block(true)))).not.toContain("int8FeedForward");
    },
  );

  it("differentiates an activation and quantises the gradients in one pass", () => {
    const program = trace(
      (gate, up, g, scales) => {
        const { result, pullback } = vjp(
          (at: readonly Tracer[]) => hadamard(swiglu(at[0]!, at[1]!)),
          [gate, up],
        );
        const [dGate, dUp] = pullback(result, g);
        return [...outputs(quantizeRows(dGate!, scales)), ...outputs(quantizeRows(dUp!, scales))];
      },
      [spec("float32", [3, 64]), spec("float32", [3, 64]), spec("float32", [3, 64]), spec("float32", [64])],
    );
    expect(names(fuse(program))).toEqual(["swigluGradQuantize"]);
    expect(fusedError(program, [f32([3, 64], 1), f32([3, 64], 2), f32([3, 64], 3), f32([64], 4)])).toBe(0);
  });

  it("leaves an activation alone that somebody else reads", () => {
    const program = trace(
      (gate, up) => {
        const h = swiglu(gate, up);
        return [h, ...outputs(quantizeRows(h))];
      },
      [spec("float32", [3, 64]), spec("float32", [3, 64])],
    );
    expect(names(fuse(program))).toEqual(["swiglu", "quantizeRows"]);
  });

  it("adds to products in place, forward and backward", async () => {
    const shape = [48, 32];
    const tensors = new Map([["w", f32(shape, 5)]]);
    const traced = trace(
      (x) =>
        valueAndGrad((at: Tracer) => {
          const y = matmul(at, weight("w", { dtype: "float32", shape }), { transposeB: true });
          const z = matmul(mul(at, 2), weight("w", { dtype: "float32", shape }), { transposeB: true });
          return sum(mul(add(y, z), add(y, z)));
        })(x),
      [spec("float32", [5, 32])],
    );
    const program = applyPrecision(traced, "int8");
    const parts = await partsIn(program, tensors);
    const count = (each: Program) => each.equations.filter(({ primitive }) => primitive === "add").length;
    expect(count(fuse(program))).toBeLessThan(count(program));
    expect(fusedError(program, [f32([5, 32], 1)], parts)).toBeLessThan(1e-6);
  });
});
