// The typed single-assignment program: values, equations, its checker and its printer. No tracing, no ONNX.
import type { DType } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
import { formatShape, type Shape } from "./shape.ts";

/** A value of the program: assigned once, by an equation or as an input. */
export interface Var {
  readonly id: number;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One step: outputs = primitive(inputs; params). */
export type Equation = {
  [P in PrimitiveName]: {
    readonly primitive: P;
    readonly inputs: readonly Var[];
    readonly params: PrimitiveParams[P];
    readonly outputs: readonly Var[];
  };
}[PrimitiveName];

/** A value with its place in the argument or result tree, such as `0.inputIds`. */
export interface NamedVar {
  readonly path: string;
  readonly variable: Var;
}

/** A first-order program: what tracing a function gives, and what every transformation maps to another of. */
export interface Program {
  readonly inputs: readonly NamedVar[];
  readonly equations: readonly Equation[];
  readonly outputs: readonly NamedVar[];
  /** rebuilds the function's result from one leaf per output, in order */
  readonly rebuildOutputs: (leaves: readonly unknown[]) => unknown;
}

/**
 * Checks that every value is assigned once and before its use.
 *
 * @throws TensorError `TENSOR_INTERNAL`
 */
export function checkProgram(program: Program): void {
  const known = new Set(program.inputs.map(({ variable }) => variable.id));
  const use = ({ id }: Var, where: string) => {
    if (!known.has(id))
      throw new TensorError("TENSOR_INTERNAL", `${where} uses %${id} before it is assigned`);
  };
  for (const equation of program.equations) {
    for (const input of equation.inputs) use(input, equation.primitive);
    for (const output of equation.outputs) {
      if (known.has(output.id)) throw new TensorError("TENSOR_INTERNAL", `%${output.id} is assigned twice`);
      known.add(output.id);
    }
  }
  for (const { variable, path } of program.outputs) use(variable, `output ${path}`);
}

const formatVar = ({ dtype, shape }: Var, name: string): string => `%${name}: ${dtype}${formatShape(shape)}`;

/** The program as text, one equation a line, values numbered in order of appearance. */
export function formatProgram(program: Program): string {
  const names = new Map<number, string>();
  const nameOf = ({ id }: Var): string => {
    const name = names.get(id) ?? String(names.size);
    names.set(id, name);
    return name;
  };
  const inputs = program.inputs.map(
    ({ variable, path }) => `${formatVar(variable, nameOf(variable))} "${path}"`,
  );
  const lines = program.equations.map((equation) => {
    const operands = equation.inputs.map((input) => `%${nameOf(input)}`).join(", ");
    const params = formatParams(equation);
    const results = equation.outputs.map((output) => formatVar(output, nameOf(output))).join(", ");
    return `  ${results} = ${equation.primitive}(${operands})${params}`;
  });
  const outputs = program.outputs.map(({ variable, path }) => `%${nameOf(variable)} "${path}"`);
  return [`inputs ${inputs.join(", ")}`, ...lines, `outputs ${outputs.join(", ")}`].join("\n");
}

function formatParams(equation: Equation): string {
  if (equation.primitive === "constant") {
    const { tensor } = equation.params;
    return tensor.data.length === 1 ? ` {${tensor.toNumbers()[0]}}` : " {…}";
  }
  if (equation.primitive === "composite") return ` {${equation.params.composite.name}}`;
  const entries = Object.entries(equation.params).map(([key, value]) =>
    Array.isArray(value) ? `${key}=${formatShape(value)}` : `${key}=${String(value)}`,
  );
  return entries.length === 0 ? "" : ` {${entries.join(", ")}}`;
}
