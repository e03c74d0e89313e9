import { describe, expect, it } from "vitest";
import { matmul, weight } from "../ops.ts";
import type { Program } from "../program.ts";
import { rewriteProgram } from "../rewrite.ts";
import type { Device } from "../runtime/session.ts";
import { dim } from "../shape.ts";
import { spec, trace } from "../trace.ts";
import { inPrecision } from "./in-precision.ts";
import type { PrecisionChoice } from "./parts.ts";

const program = trace(
  (x) => matmul(x, weight("w", { dtype: "float32", shape: [64, 32] }), { transposeB: true }),
  [spec("float32", [dim("N"), 32])],
);

/** The program in a precision. */
const computedIn = (...[choice, device]: [PrecisionChoice, Device]): Program => {
  const replace = inPrecision(program, choice, device);
  return replace === undefined ? program : rewriteProgram(program, replace);
};

const weightsIn = ({ equations }: Program) =>
  equations.flatMap((equation) => (equation.primitive === "weight" ? [equation.params.path] : []));
const dtypesIn = ({ equations }: Program) =>
  equations.flatMap(({ primitive, outputs }) => (primitive === "weight" ? [outputs[0]!.dtype] : []));

describe("inPrecision()", () => {
  it("takes a policy's parts on the CPU", () => {
    expect(weightsIn(computedIn("bfloat16", "cpu"))).toEqual(["w#bfloat16.packed"]);
    expect(weightsIn(computedIn(() => "int4", "cpu"))[0]).toBe("w#int4.packed");
  });

  it("takes the weight itself in 16 bits on CUDA, and in float16 anywhere", () => {
    expect(dtypesIn(computedIn("bfloat16", "cuda"))).toEqual(["bfloat16"]);
    expect(dtypesIn(computedIn("float16", "cuda"))).toEqual(["float16"]);
    expect(dtypesIn(computedIn("float16", "cpu"))).toEqual(["float16"]);
  });

  it("refuses on CUDA what only the CPU has", () => {
    expect(() => computedIn("int8", "cuda")).toThrow(/"int8" is for the CPU; on cuda use "bfloat16"/);
    expect(() => computedIn(() => "int8", "cuda")).toThrow(/a precision for each weight is for the CPU/);
  });
});
