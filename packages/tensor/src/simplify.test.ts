import { describe, expect, it } from "vitest";
import { evaluate } from "./evaluate.ts";
import { checkProgram, type Equation, type Program, type Var } from "./program.ts";
import { deriveSeed, uniformAt } from "./random.ts";
import { inferOutputs } from "./rules/shape.ts";
import { foldScalars, removeDeadCode, shareCommonSubexpressions, simplify } from "./simplify.ts";
import { scalar, type Tensor } from "./tensor.ts";
import { randomTensor } from "./testing.ts";

const UNARY = ["neg", "sin", "tanh", "abs"] as const;
const BINARY = ["add", "sub", "mul", "maximum", "minimum"] as const;

/** A program of random equations, written down as they come: with dead, doubled and constant ones. */
function randomProgram(seed: number): Program {
  let drawn = 0;
  const pick = <T>(from: readonly T[]): T =>
    from[Math.floor(uniformAt(deriveSeed(seed, "pick"), drawn++) * from.length)]!;
  const equations: Equation[] = [];
  const variable = (id: number, shape: readonly number[]): Var => ({ id, dtype: "float64", shape });
  const inputs = [variable(0, [2, 3]), variable(1, [3])];
  const known: Var[] = [...inputs];
  const emit = (primitive: string, operands: readonly Var[], params: object): void => {
    const outputs = inferOutputs(primitive as "add", operands, params).map(({ dtype, shape }, index) => {
      return { id: known.length + index, dtype, shape };
    });
    equations.push({ primitive, inputs: operands, params, outputs } as unknown as Equation);
    known.push(...outputs);
  };
  for (let n = 0; n < 4; n++) emit("constant", [], { tensor: scalar(pick([-1, 0, 0.5, 2]), "float64") });
  for (let n = 0; n < 24; n++) {
    if (pick([true, false])) emit(pick(UNARY), [pick(known)], {});
    else emit(pick(BINARY), [pick(known), pick(known)], {});
  }
  const outputs = known.slice(-3).map((each, index) => ({ path: String(index), variable: each }));
  const named = inputs.map((each, index) => ({ path: String(index), variable: each }));
  return { inputs: named, equations, outputs, rebuildOutputs: (leaves) => leaves };
}

const args = [randomTensor([2, 3], 1), randomTensor([3], 2)];
const run = (program: Program) => (evaluate(program, args) as Tensor[]).map(({ data }) => [...data]);
const programs = Array.from({ length: 25 }, (_, seed) => randomProgram(seed));
const count = (each: readonly Program[]) =>
  each.reduce((total, { equations }) => total + equations.length, 0);

describe.each([
  ["removeDeadCode()", removeDeadCode],
  ["foldScalars()", foldScalars],
  ["shareCommonSubexpressions()", shareCommonSubexpressions],
  ["simplify()", simplify],
] as const)("%s", (_, rewrite) => {
  it("keeps the values of random programs, bit for bit", () => {
    for (const program of programs) {
      const rewritten = rewrite(program);
      checkProgram(rewritten);
      expect(run(rewritten)).toEqual(run(program));
    }
  });

  it("changes nothing when done again", () => {
    for (const program of programs) {
      const once = rewrite(program);
      expect(rewrite(once).equations).toHaveLength(once.equations.length);
    }
  });
});

describe("simplify()", () => {
  it("makes programs shorter by every rewrite", () => {
    const operations = (each: Program) => each.equations.filter(({ primitive }) => primitive !== "constant");
    expect(count(programs.map(removeDeadCode))).toBeLessThan(count(programs));
    expect(count(programs.map(shareCommonSubexpressions))).toBeLessThan(count(programs));
    const folded = programs.map(foldScalars).reduce((total, each) => total + operations(each).length, 0);
    expect(folded).toBeLessThan(programs.reduce((total, each) => total + operations(each).length, 0));
  });

  it("tells 0 from −0, and dtypes apart", () => {
    const constant = (id: number, value: number, dtype: "float32" | "float64"): Equation => ({
      primitive: "constant",
      inputs: [],
      params: { tensor: scalar(value, dtype) },
      outputs: [{ id, dtype, shape: [] }],
    });
    const equations = [constant(0, 0, "float64"), constant(1, -0, "float64"), constant(2, 0, "float32")];
    const outputs = equations.map((each, index) => ({ path: String(index), variable: each.outputs[0]! }));
    const program: Program = { inputs: [], equations, outputs, rebuildOutputs: (leaves) => leaves };
    expect(simplify(program).equations).toHaveLength(3);
  });
});
