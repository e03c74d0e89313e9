import { describe, expect, it } from "vitest";
import { rmsNorm } from "./composites/rms-norm.ts";
import { TensorError } from "./errors.ts";
import { evaluate } from "./evaluate.ts";
import * as ops from "./ops.ts";
import { checkProgram, formatProgram } from "./program.ts";
import { dim } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { spec, trace } from "./trace.ts";

describe("formatProgram()", () => {
  it("prints a composite as one equation with all its outputs", () => {
    const program = trace(
      (x, w) => rmsNorm(x, w, 1e-5),
      [spec("float32", [dim("B"), 4]), spec("float32", [4])],
    );
    expect(formatProgram(program)).toMatchInlineSnapshot(`
      "inputs %0: float32[B, 4] "0", %1: float32[4] "1"
        %2: float32[B, 4], %3: float32[B, 1] = composite(%0, %1) {rmsNorm}
      outputs %2 """
    `);
  });
});

describe("checkProgram()", () => {
  it("finds a value used before it is assigned, or assigned twice", () => {
    const program = trace((x) => ops.exp(ops.sin(x)), [spec("float32", [2])]);
    const [sin, exp] = program.equations;
    expect(() => checkProgram({ ...program, equations: [exp!, sin!] })).toThrow(TensorError);
    expect(() => checkProgram({ ...program, equations: [sin!, sin!, exp!] })).toThrow(/assigned twice/);
  });
});

describe("a program of integers", () => {
  it("is exact beyond 2⁵³", () => {
    const program = trace(
      (a, b) => ({ sum: ops.add(a, b), product: ops.mul(b, b), rest: ops.mod(a, b) }),
      [spec("int64", [1]), spec("int64", [1])],
    );
    const of = (value: bigint) => Tensor.fromArray("int64", [1], [value]);
    const result = evaluate(program, [of(2n ** 60n + 1n), of(3_000_000_007n)]) as Record<
      string,
      Tensor<"int64">
    >;
    expect([result["sum"]!.data[0], result["product"]!.data[0]]).toEqual([
      2n ** 60n + 3_000_000_008n,
      3_000_000_007n ** 2n,
    ]);
    expect(result["rest"]!.data[0]).toBe((2n ** 60n + 1n) % 3_000_000_007n);
  });
});

describe("a program of float64", () => {
  it("keeps double precision, constants included", () => {
    const program = trace((x) => ops.add(ops.mul(x, 0.1), 1e-12), [spec("float64", [])]);
    const result = evaluate(program, [Tensor.fromArray("float64", [], [3])]) as Tensor<"float64">;
    expect(result.data[0]).toBe(3 * 0.1 + 1e-12);
  });
});
