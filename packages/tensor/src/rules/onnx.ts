// The ONNX operators (opset 21 and com.microsoft) every primitive becomes: one exhaustive table.
import { DTYPES, type DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { Lowering } from "../onnx/lowering.ts";
import { lowerThinMatmul } from "../onnx/thin-matmul.ts";
import { lowerWideMatmul } from "../onnx/wide-matmul.ts";
import type { PrimitiveName } from "../primitive.ts";
import type { Equation, Var } from "../program.ts";
import { expandComposite } from "../trace.ts";

type Rule<P extends PrimitiveName> = (
  lowering: Lowering,
  equation: Extract<Equation, { primitive: P }>,
) => void;

const node =
  (opType: string) =>
  (lowering: Lowering, { inputs, outputs }: Equation): void =>
    lowering.emit(opType, inputs, outputs);

const isInteger = (dtype: DType): boolean => DTYPES[dtype].kind === "integer";

/** The runtime multiplies float32 (and 16-bit on CUDA) with transposed operands; other dtypes transpose first. */
const lowerMatmul: Rule<"matmul"> = (lowering, equation) => {
  if (lowerThinMatmul(lowering, equation)) return;
  if (lowerWideMatmul(lowering, equation)) return;
  const { inputs, outputs, params } = equation;
  const { transposeA, transposeB } = params;
  if (!transposeA && !transposeB) return lowering.emit("MatMul", inputs, outputs);
  if (inputs[0]!.dtype !== "float64") {
    const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
    return lowering.emit("FusedMatMul", inputs, outputs, attributes, "com.microsoft");
  }
  const operands = [transposeA, transposeB].map((swap, index) =>
    swap ? swapLastAxes(lowering, inputs[index]!) : inputs[index]!,
  );
  return lowering.emit("MatMul", operands, outputs);
};

function swapLastAxes(lowering: Lowering, x: Var): string {
  const rank = x.shape.length;
  const perm = x.shape.map((_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
  return lowering.value("Transpose", [x], { perm });
}

/** The remainder with the divisor's sign; ONNX's Mod does that for integers only. */
const lowerMod: Rule<"mod"> = (lowering, { inputs: [a, b], outputs }) => {
  if (isInteger(a!.dtype)) return lowering.emit("Mod", [a, b], outputs);
  const quotient = lowering.value("Floor", [lowering.value("Div", [a, b])]);
  return lowering.emit("Sub", [a, lowering.value("Mul", [quotient, b])], outputs);
};

type ReduceEquation = Extract<Equation, { primitive: "reduceSum" | "reduceMax" }>;

const reduce =
  (opType: string) =>
  (lowering: Lowering, { inputs, outputs, params: { axes } }: ReduceEquation): void =>
    lowering.emit(opType, [inputs[0], lowering.integers(axes)], outputs, { keepdims: 1 });

const scalarSize = (lowering: Lowering, size: Var["shape"][number]): string =>
  typeof size === "number"
    ? lowering.scalar(size, "int64")
    : lowering.value("Squeeze", [lowering.size(size)]);

/** Casts that the native kernels compute: the runtime takes one value after another, with one thread. */
const NATIVE_CASTS: Readonly<Record<string, string>> = {
  "float32 bfloat16": "RoundToBfloat16",
  "bfloat16 float32": "WidenBfloat16",
};

const lowerCast: Rule<"cast"> = (lowering, { inputs: [x], outputs, params: { dtype } }) => {
  const operator = NATIVE_CASTS[`${x!.dtype} ${dtype}`];
  if (operator !== undefined && lowering.emitNative(operator, [x], outputs)) return;
  lowering.emit("Cast", [x], outputs, { to: DTYPES[dtype].onnxType });
};

const lowerIota: Rule<"iota"> = (lowering, { outputs, params: { size, dtype } }) => {
  const range = [lowering.scalar(0, "int64"), scalarSize(lowering, size), lowering.scalar(1, "int64")];
  if (dtype === "int64") return lowering.emit("Range", range, outputs);
  return lowering.emit("Cast", [lowering.value("Range", range)], outputs, { to: DTYPES[dtype].onnxType });
};

function zeros(lowering: Lowering, { dtype, shape }: Var): string {
  return lowering.value("Expand", [lowering.scalar(0, dtype), lowering.shape(shape)]);
}

const lowerScatterAdd: Rule<"scatterAdd"> = (lowering, { inputs: [indices, updates], outputs }) => {
  const target = lowering.value("Unsqueeze", [
    toInt64(lowering, indices!),
    lowering.integers([indices!.shape.length]),
  ]);
  lowering.emit("ScatterND", [zeros(lowering, outputs[0]!), target, updates], outputs, { reduction: "add" });
};

const toInt64 = (lowering: Lowering, indices: Var): Var | string =>
  indices.dtype === "int64" ? indices : lowering.value("Cast", [indices], { to: DTYPES.int64.onnxType });

const lowerPad: Rule<"pad"> = (lowering, { inputs: [x], outputs, params: { axis, before, after } }) => {
  const amounts = lowering.value("Concat", [lowering.size(before), lowering.size(after)], { axis: 0 });
  lowering.emit("Pad", [x, amounts, undefined, lowering.integers([axis])], outputs, { mode: "constant" });
};

/** A composite becomes its fused operator, or its definition. */
const lowerComposite: Rule<"composite"> = (lowering, equation) => {
  const { composite, attributes } = equation.params;
  if (composite.lower?.(lowering, equation) === true) return;
  const definition = expandComposite(composite, equation.inputs, attributes);
  for (const [index, { variable }] of definition.inputs.entries()) {
    lowering.setName(variable, lowering.nameOf(equation.inputs[index]!));
  }
  // What the definition makes gets its output's name, so that an operator may write over an input without a copy after it.
  const others = definition.outputs.filter(({ variable }, index) => {
    if (lowering.isNamed(variable)) return true;
    lowering.setName(variable, lowering.nameOf(equation.outputs[index]!));
    return false;
  });
  for (const each of definition.equations) lowerEquation(lowering, each);
  for (const each of others) {
    const output = equation.outputs[definition.outputs.indexOf(each)]!;
    if (lowering.isNamed(output)) lowering.emit("Identity", [each.variable], [output]);
    else lowering.setName(output, lowering.nameOf(each.variable));
  }
};

/** Adds an equation's operators to the graph. */
export function lowerEquation(lowering: Lowering, equation: Equation): void {
  (ONNX_RULES[equation.primitive] as (lowering: Lowering, equation: Equation) => void)(lowering, equation);
}

/** One rule per primitive. */
const ONNX_RULES: { [P in PrimitiveName]: Rule<P> } = {
  neg: node("Neg"),
  exp: node("Exp"),
  log: node("Log"),
  sqrt: node("Sqrt"),
  sin: node("Sin"),
  cos: node("Cos"),
  tanh: node("Tanh"),
  sigmoid: node("Sigmoid"),
  erf: node("Erf"),
  abs: node("Abs"),
  floor: node("Floor"),
  logicalNot: node("Not"),
  add: node("Add"),
  sub: node("Sub"),
  mul: node("Mul"),
  div: node("Div"),
  pow: node("Pow"),
  maximum: node("Max"),
  minimum: node("Min"),
  mod: lowerMod,
  equal: node("Equal"),
  less: node("Less"),
  lessEqual: node("LessOrEqual"),
  logicalAnd: node("And"),
  logicalOr: node("Or"),
  where: node("Where"),
  cast: lowerCast,
  matmul: lowerMatmul,
  transpose: (lowering, { inputs, outputs, params }) =>
    lowering.emit("Transpose", inputs, outputs, { perm: params.permutation }),
  reshape: (lowering, { inputs: [x], outputs, params: { shape } }) =>
    lowering.emit(
      "Reshape",
      [x, lowering.shape(shape, x!.shape)],
      outputs,
      shape.includes(0) ? { allowzero: 1 } : {},
    ),
  broadcast: (lowering, { inputs: [x], outputs, params: { shape } }) =>
    lowering.emit("Expand", [x, lowering.shape(shape)], outputs),
  slice: (lowering, { inputs: [x], outputs, params: { axis, start, end } }) =>
    lowering.emit("Slice", [x, lowering.size(start), lowering.size(end), lowering.integers([axis])], outputs),
  pad: lowerPad,
  concat: (lowering, { inputs, outputs, params }) =>
    lowering.emit("Concat", inputs, outputs, { axis: params.axis }),
  split: (lowering, { inputs: [x], outputs, params: { axis, sizes } }) =>
    lowering.emit("Split", [x, lowering.shape(sizes)], outputs, { axis }),
  reduceSum: reduce("ReduceSum"),
  reduceMax: reduce("ReduceMax"),
  argmax: (lowering, { inputs, outputs, params }) =>
    lowering.emit("ArgMax", inputs, outputs, { axis: params.axis, keepdims: 0 }),
  gather: (lowering, { inputs, outputs }) => lowering.emit("Gather", inputs, outputs, { axis: 0 }),
  scatterAdd: lowerScatterAdd,
  scatter: (lowering, { inputs: [x, indices, updates], outputs }) =>
    lowering.emit("ScatterND", [x, toInt64(lowering, indices!), updates], outputs),
  takeAlong: (lowering, { inputs, outputs, params }) =>
    lowering.emit("GatherElements", inputs, outputs, { axis: params.axis }),
  addAlong: (lowering, { inputs: [indices, updates], outputs, params }) =>
    lowering.emit("ScatterElements", [zeros(lowering, outputs[0]!), indices, updates], outputs, {
      axis: params.axis,
      reduction: "add",
    }),
  iota: lowerIota,
  constant: (lowering, { outputs, params }) => {
    if (lowering.isNamed(outputs[0]!)) lowering.emit("Identity", [lowering.constant(params.tensor)], outputs);
    else lowering.setName(outputs[0]!, lowering.constant(params.tensor));
  },
  weight: (_, { params }) => {
    throw new TensorError("TENSOR_INTERNAL", `weight "${params.path}" is declared before lowering begins`);
  },
  stopGradient: node("Identity"),
  composite: lowerComposite,
};
