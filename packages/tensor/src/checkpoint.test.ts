import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpoint } from "./checkpoint.ts";
import { compile } from "./compile.ts";
import { evaluate } from "./evaluate.ts";
import { grad, valueAndGrad } from "./grad.ts";
import { dropout } from "./nn.ts";
import * as ops from "./ops.ts";
import { checkProgram, type Program } from "./program.ts";
import type { Value } from "./runtime/value.ts";
import { dim } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { gradientError, randomTensor } from "./testing.ts";
import { spec, type Tracer, trace } from "./trace.ts";
import { weightsFrom } from "./weights.ts";

type Wrap = typeof checkpoint;
const plain: Wrap = (fn) => fn;
const B = dim("B");

/** Three layers that share a matrix from outside, use a weight each and drop out by a seed. */
const network = (wrap: Wrap, shape = [B, 4] as Tracer["shape"]): Program =>
  trace(
    (x, w, seed) => {
      const layer = (index: number, at: Tracer): Tracer => {
        const scale = ops.weight(`scale${index}`, { dtype: "float32", shape: [4] });
        const mixed = ops.tanh(ops.matmul(ops.mul(at, scale), w));
        return ops.add(at, dropout(mixed, { rate: 0.3, seed, stream: index }));
      };
      return valueAndGrad(([at, matrix]: readonly [Tracer, Tracer]) => {
        expect(matrix).toBe(w);
        return ops.sum(ops.sin([0, 1, 2].reduce((h, index) => wrap(layer)(index, h), at)));
      })([x, w]);
    },
    [spec("float32", shape), spec("float32", [4, 4]), spec("int64", [])],
  );

const weights = new Map([0, 1, 2].map((n) => [`scale${n}`, randomTensor([4], n, "float32")]));
const source = weightsFrom(weights);
const args = [
  randomTensor([3, 4], 5, "float32"),
  randomTensor([4, 4], 6, "float32"),
  Tensor.fromArray("int64", [], [9]),
];
const count = ({ equations }: Program, name: string): number =>
  equations.filter(({ primitive }) => primitive === name).length;

describe("checkpoint()", () => {
  it("changes neither value nor gradient, by a bit", () => {
    const program = network(checkpoint);
    checkProgram(program);
    expect(evaluate(program, args, weights)).toEqual(evaluate(network(plain), args, weights));
  });

  it("computes again what the gradient reads, once, and only that", () => {
    expect(count(network(plain), "tanh")).toBe(3);
    expect(count(network(checkpoint), "tanh")).toBe(6);
    expect(count(network(checkpoint), "weight")).toBe(3);
    const forward = trace((x) => checkpoint(ops.exp)(x), [spec("float32", [B])]);
    expect(count(forward, "exp")).toBe(1);
  });

  it.each([["symbolic", [B, 4]] as const, ["static", [3, 4]] as const])(
    "is not undone by the runtime, with %s sizes",
    async (_, shape) => {
      const folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
      const profilePrefix = join(folder, "profile");
      const executable = await compile(network(checkpoint, shape), {
        threads: 1,
        kernels: false,
        weights: source,
        profilePrefix,
      });
      const { value } = (await executable.run(args)) as { value: Value };
      const expected = evaluate(network(plain), args, weights) as { value: Tensor };
      expect((await value.toTensor()).toNumbers()[0]).toBeCloseTo(expected.value.toNumbers()[0]!, 4);
      await executable.dispose();
      const profile = readFileSync(join(folder, readdirSync(folder)[0]!), "utf8");
      const ran = (JSON.parse(profile) as { name: string; args?: { op_name?: string } }[])
        .filter(({ name }) => name.endsWith("_kernel_time"))
        .map((event) => event.args?.op_name);
      expect(ran.filter((name) => name === "Tanh")).toHaveLength(6);
      // The last layer's own forward is followed by the loss; the first layer is computed again at the very end.
      expect(ran.lastIndexOf("Tanh")).toBeGreaterThan(ran.lastIndexOf("Cos"));
      rmSync(folder, { recursive: true });
    },
  );

  it("has the gradient of functions with several results, nested ones and ones that return an operand", () => {
    const inner = checkpoint((x: Tracer) => ops.exp(ops.sin(x)));
    const outer = checkpoint((x: Tracer, y: Tracer) => ({ both: ops.mul(inner(x), y), y, wave: ops.cos(x) }));
    const fn = (x: Tracer, y: Tracer) => {
      const result = outer(x, y);
      return ops.add(ops.mul(result.both, result.wave), result.y);
    };
    expect(gradientError(fn, [randomTensor([3], 1), randomTensor([3], 2)])).toBeLessThan(1e-7);
  });

  it("has a gradient of its gradient", () => {
    const slope = grad((x: Tracer) => ops.sum(checkpoint(ops.sin)(ops.mul(x, x))));
    expect(gradientError((x) => slope(x), [randomTensor([3], 1)])).toBeLessThan(1e-7);
  });

  it("throws outside of a trace", () => {
    expect(() => checkpoint((x: number) => x)(1)).toThrow(/outside of trace/);
  });
});
