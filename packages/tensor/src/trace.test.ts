import { describe, expect, it } from "vitest";
import { evaluate } from "./evaluate.ts";
import { valueAndGrad } from "./grad.ts";
import * as ops from "./ops.ts";
import { checkProgram, formatProgram } from "./program.ts";
import { dim } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { spec, type Tracer, trace } from "./trace.ts";

const B = dim("B");
const code = (fn: () => unknown): unknown => {
  try {
    fn();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

describe("trace()", () => {
  it("turns a function into a typed program that prints itself", () => {
    const program = trace(
      (x, w) => ({ y: ops.add(ops.matmul(x, w), 1) }),
      [spec("float32", [B, 3]), spec("float32", [3, 2])],
    );
    checkProgram(program);
    expect(formatProgram(program)).toMatchInlineSnapshot(`
      "inputs %0: float32[B, 3] "0", %1: float32[3, 2] "1"
        %2: float32[B, 2] = matmul(%0, %1) {transposeA=false, transposeB=false}
        %3: float32[] = constant() {1}
        %4: float32[B, 2] = add(%2, %3)
      outputs %4 "y""
    `);
  });

  it("shares what is written twice and drops what nobody reads", () => {
    const program = trace(
      (x) => {
        ops.exp(x);
        return ops.add(ops.sin(x), ops.sin(x));
      },
      [spec("float32", [2])],
    );
    expect(program.equations.map(({ primitive }) => primitive)).toEqual(["sin", "add"]);
  });

  it("folds arithmetic on constants", () => {
    const program = trace((x) => ops.mul(x, ops.mul(ops.constant(3), 2)), [spec("float32", [2])]);
    expect(evaluate(program, [Tensor.fromArray("float32", [2], [1, 2])])).toMatchObject({
      data: new Float32Array([6, 12]),
    });
    expect(program.equations.map(({ primitive }) => primitive)).toEqual(["constant", "mul"]);
  });

  it("keeps the structure of arguments and results", () => {
    const program = trace(
      ({ a, list }) => [{ twice: ops.add(a, a) }, list[1]!],
      [{ a: spec("float32", []), list: [spec("float32", []), spec("float32", [])] }],
    );
    expect(program.inputs.map(({ path }) => path)).toEqual(["0.a", "0.list.0", "0.list.1"]);
    expect(program.outputs.map(({ path }) => path)).toEqual(["0.twice", "1"]);
    const scalar = (value: number) => Tensor.fromArray("float32", [], [value]);
    const result = evaluate(program, [{ a: scalar(2), list: [scalar(5), scalar(7)] }]) as [
      { twice: Tensor },
      Tensor,
    ];
    expect([result[0].twice.data[0], result[1].data[0]]).toEqual([4, 7]);
  });

  it("refuses a tracer of another trace, an operation outside, and a trace within a trace", () => {
    let leaked: Tracer | undefined;
    trace(
      (x) => {
        leaked = x;
        return x;
      },
      [spec("float32", [2])],
    );
    expect(code(() => trace((x) => ops.add(x, leaked!), [spec("float32", [2])]))).toBe("TENSOR_TRACE_MISUSE");
    expect(code(() => ops.constant(1))).toBe("TENSOR_TRACE_MISUSE");
    expect(code(() => trace(() => trace((x) => x, [spec("float32", [])]), []))).toBe("TENSOR_TRACE_MISUSE");
  });

  it("says which shapes and dtypes do not fit", () => {
    const two = [spec("float32", [B, 3]), spec("float32", [2, 3])] as const;
    expect(() => trace((a, b) => ops.matmul(a, b), two)).toThrow(
      /inner dimensions differ, \[B, 3\] · \[2, 3\]/,
    );
    expect(() => trace((a) => ops.add(a, ops.constant(1, "int64")), two)).toThrow(/float32 and int64/);
    expect(() => trace((a) => ops.reshape(a, [B, 4]), two)).toThrow(/\[B, 3\] and \[B, 4\]/);
    expect(() => trace((a) => ops.exp(ops.cast(a, "int32")), two)).toThrow(/floating/);
    expect(() => trace((a) => valueAndGrad((x: Tracer) => ops.exp(x))(a), two)).toThrow(/scalar/);
  });
});

describe("dim()", () => {
  it("adds, multiplies and compares as a polynomial", async () => {
    const { addDims, mulDims, subDims, dimsEqual } = await import("./shape.ts");
    const T = dim("T");
    expect(dimsEqual(mulDims(addDims(B, 1), T), addDims(mulDims(T, B), T))).toBe(true);
    expect(subDims(addDims(B, 3), B)).toBe(3);
    expect(String(mulDims(mulDims(B, 2), T))).toBe("2*B*T");
  });
});

describe("evaluate()", () => {
  it("refuses arguments that do not fit the program", () => {
    const program = trace((x, y) => ops.add(x, y), [spec("float32", [B, 2]), spec("float32", [B, 2])]);
    const of = (rows: number) => Tensor.zeros("float32", [rows, 2]);
    expect(() => evaluate(program, [of(3), of(4)])).toThrow(
      /argument 1: expected \[B, 2\] with B=3, got \[4, 2\]/,
    );
    expect(() => evaluate(program, [of(3)])).toThrow(/expected 2 arguments, got 1/);
    expect(() => evaluate(program, [of(3), Tensor.zeros("float64", [3, 2])])).toThrow(
      /expected float32, got float64/,
    );
  });
});
