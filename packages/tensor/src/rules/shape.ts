// dtype and shape of every primitive's outputs: one exhaustive table. A rule looks at nothing but its arguments.
import type { TensorSpec } from "../composite.ts";
import { type DType, isFloating } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { BinaryName, CompareName, PrimitiveName, PrimitiveParams, UnaryName } from "../primitive.ts";
import {
  addDims,
  broadcastShapes,
  type Dim,
  dimsEqual,
  formatShape,
  type Shape,
  shapesEqual,
  sizeOf,
  subDims,
} from "../shape.ts";

type Rule<P extends PrimitiveName> = (
  inputs: readonly TensorSpec[],
  params: PrimitiveParams[P],
) => readonly TensorSpec[];

/** Every primitive but `composite`. */
type RuledName = Exclude<PrimitiveName, "composite">;

/** The specs of a primitive's outputs. */
export function inferOutputs<P extends RuledName>(
  primitive: P,
  inputs: readonly TensorSpec[],
  params: PrimitiveParams[P],
): readonly TensorSpec[] {
  return SHAPE_RULES[primitive](inputs, params);
}

const mismatch = (message: string) => new TensorError("TENSOR_SHAPE_MISMATCH", message);

function requireDType(
  where: string,
  { dtype }: TensorSpec,
  accepts: (dtype: DType) => boolean,
  expected: string,
): void {
  if (!accepts(dtype))
    throw new TensorError("TENSOR_DTYPE_MISMATCH", `${where}: expected ${expected}, got ${dtype}`);
}

function requireSameDType(where: string, inputs: readonly TensorSpec[]): DType {
  const [first] = inputs;
  for (const { dtype } of inputs) {
    if (dtype !== first!.dtype) {
      throw new TensorError(
        "TENSOR_DTYPE_MISMATCH",
        `${where}: operands are ${first!.dtype} and ${dtype}; cast one of them`,
      );
    }
  }
  return first!.dtype;
}

const float =
  (name: UnaryName): Rule<UnaryName> =>
  ([x]) => {
    requireDType(name, x!, isFloating, "a floating dtype");
    return [x!];
  };

const number =
  (name: UnaryName): Rule<UnaryName> =>
  ([x]) => {
    requireDType(name, x!, (dtype) => dtype !== "bool", "a number");
    return [x!];
  };

const arithmetic =
  (name: BinaryName): Rule<BinaryName> =>
  (inputs) => {
    const dtype = requireSameDType(name, inputs);
    requireDType(name, inputs[0]!, (each) => each !== "bool", "numbers");
    return [{ dtype, shape: broadcastShapes(inputs[0]!.shape, inputs[1]!.shape, name) }];
  };

const comparison =
  (name: CompareName): Rule<CompareName> =>
  (inputs) => {
    requireSameDType(name, inputs);
    return [{ dtype: "bool", shape: broadcastShapes(inputs[0]!.shape, inputs[1]!.shape, name) }];
  };

const logical =
  (name: CompareName): Rule<CompareName> =>
  (inputs) => {
    for (const input of inputs) requireDType(name, input, (dtype) => dtype === "bool", "bool");
    return [{ dtype: "bool", shape: broadcastShapes(inputs[0]!.shape, inputs[1]!.shape, name) }];
  };

const requireIndices = (where: string, spec: TensorSpec): void =>
  requireDType(where, spec, (dtype) => dtype === "int64" || dtype === "int32", "int64 or int32 indices");

const replaceAxis = (shape: Shape, axis: number, size: Dim): Dim[] =>
  shape.map((old, index) => (index === axis ? size : old));

const keepReduced: Rule<"reduceSum" | "reduceMax"> = ([x], { axes }) => [
  { dtype: x!.dtype, shape: x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) },
];

function matmulShape(a: Shape, b: Shape, transposeA: boolean, transposeB: boolean): Dim[] {
  if (a.length < 2 || b.length < 2) {
    throw mismatch(`matmul: operands need rank 2 or more, got ${formatShape(a)} and ${formatShape(b)}`);
  }
  const [rows, inner] = transposeA ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
  const [innerB, columns] = transposeB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  if (!dimsEqual(inner, innerB)) {
    throw mismatch(
      `matmul: inner dimensions differ, ${formatShape(a)}${transposeA ? "ᵀ" : ""} · ${formatShape(b)}${transposeB ? "ᵀ" : ""}; transpose an operand?`,
    );
  }
  return [...broadcastShapes(a.slice(0, -2), b.slice(0, -2), "matmul"), rows, columns];
}

/** One rule per primitive; `composite` is handled by tracing, which knows definitions. */
const SHAPE_RULES: { [P in RuledName]: Rule<P> } = {
  neg: number("neg"),
  exp: float("exp"),
  log: float("log"),
  sqrt: float("sqrt"),
  sin: float("sin"),
  cos: float("cos"),
  tanh: float("tanh"),
  sigmoid: float("sigmoid"),
  erf: float("erf"),
  abs: number("abs"),
  floor: float("floor"),
  logicalNot: ([x]) => {
    requireDType("logicalNot", x!, (dtype) => dtype === "bool", "bool");
    return [x!];
  },
  add: arithmetic("add"),
  sub: arithmetic("sub"),
  mul: arithmetic("mul"),
  div: arithmetic("div"),
  pow: arithmetic("pow"),
  maximum: arithmetic("maximum"),
  minimum: arithmetic("minimum"),
  mod: arithmetic("mod"),
  equal: comparison("equal"),
  less: comparison("less"),
  lessEqual: comparison("lessEqual"),
  logicalAnd: logical("logicalAnd"),
  logicalOr: logical("logicalOr"),
  where: ([condition, a, b]) => {
    requireDType("where", condition!, (dtype) => dtype === "bool", "a bool condition");
    const dtype = requireSameDType("where", [a!, b!]);
    return [
      {
        dtype,
        shape: broadcastShapes(condition!.shape, broadcastShapes(a!.shape, b!.shape, "where"), "where"),
      },
    ];
  },
  cast: ([x], { dtype }) => [{ dtype, shape: x!.shape }],
  matmul: ([a, b], { transposeA, transposeB }) => {
    const dtype = requireSameDType("matmul", [a!, b!]);
    requireDType("matmul", a!, isFloating, "a floating dtype");
    return [{ dtype, shape: matmulShape(a!.shape, b!.shape, transposeA, transposeB) }];
  },
  transpose: ([x], { permutation }) => {
    const valid = permutation.length === x!.shape.length && new Set(permutation).size === permutation.length;
    if (!valid || permutation.some((axis) => x!.shape[axis] === undefined)) {
      throw mismatch(
        `transpose: [${permutation.join(", ")}] does not permute the axes of ${formatShape(x!.shape)}`,
      );
    }
    return [{ dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) }];
  },
  reshape: ([x], { shape }) => {
    if (!dimsEqual(sizeOf(x!.shape), sizeOf(shape))) {
      throw mismatch(
        `reshape: ${formatShape(x!.shape)} and ${formatShape(shape)} differ in their number of elements`,
      );
    }
    return [{ dtype: x!.dtype, shape }];
  },
  broadcast: ([x], { shape }) => {
    if (!shapesEqual(broadcastShapes(x!.shape, shape, "broadcastTo"), shape)) {
      throw mismatch(`broadcastTo: ${formatShape(x!.shape)} does not stretch to ${formatShape(shape)}`);
    }
    return [{ dtype: x!.dtype, shape }];
  },
  slice: ([x], { axis, start, end }) => {
    const size = x!.shape[axis]!;
    if ([start, end, size].every((value) => typeof value === "number")) {
      if (!(0 <= Number(start) && Number(start) <= Number(end) && Number(end) <= Number(size))) {
        throw mismatch(`slice: ${start}…${end} is outside axis ${axis} of ${formatShape(x!.shape)}`);
      }
    }
    return [{ dtype: x!.dtype, shape: replaceAxis(x!.shape, axis, subDims(end, start)) }];
  },
  pad: ([x], { axis, before, after }) => [
    { dtype: x!.dtype, shape: replaceAxis(x!.shape, axis, addDims(addDims(before, x!.shape[axis]!), after)) },
  ],
  concat: (inputs, { axis }) => {
    const dtype = requireSameDType("concat", inputs);
    const [first] = inputs;
    for (const { shape } of inputs) {
      if (!shapesEqual(replaceAxis(shape, axis, 0), replaceAxis(first!.shape, axis, 0))) {
        throw mismatch(
          `concat: ${formatShape(first!.shape)} and ${formatShape(shape)} differ off axis ${axis}`,
        );
      }
    }
    const size = inputs.reduce<Dim>((total, { shape }) => addDims(total, shape[axis]!), 0);
    return [{ dtype, shape: replaceAxis(first!.shape, axis, size) }];
  },
  split: ([x], { axis, sizes }) => {
    const total = sizes.reduce<Dim>(addDims, 0);
    if (!dimsEqual(total, x!.shape[axis]!)) {
      throw mismatch(
        `split: sizes ${formatShape(sizes)} do not add up to axis ${axis} of ${formatShape(x!.shape)}`,
      );
    }
    return sizes.map((size) => ({ dtype: x!.dtype, shape: replaceAxis(x!.shape, axis, size) }));
  },
  reduceSum: keepReduced,
  reduceMax: keepReduced,
  argmax: ([x], { axis }) => [{ dtype: "int64", shape: x!.shape.filter((_, index) => index !== axis) }],
  gather: ([table, indices]) => {
    requireIndices("gather", indices!);
    return [{ dtype: table!.dtype, shape: [...indices!.shape, ...table!.shape.slice(1)] }];
  },
  scatterAdd: ([indices, updates], { size }) => {
    requireIndices("scatterAdd", indices!);
    const rank = indices!.shape.length;
    if (!shapesEqual(updates!.shape.slice(0, rank), indices!.shape)) {
      throw mismatch(
        `scatterAdd: updates ${formatShape(updates!.shape)} do not begin with indices ${formatShape(indices!.shape)}`,
      );
    }
    return [{ dtype: updates!.dtype, shape: [size, ...updates!.shape.slice(rank)] }];
  },
  scatter: ([x, indices, updates]) => {
    requireIndices("scatter", indices!);
    requireSameDType("scatter", [x!, updates!]);
    const depth = indices!.shape.at(-1);
    if (typeof depth !== "number" || depth < 1 || depth > x!.shape.length) {
      throw mismatch(
        `scatter: the last axis of indices ${formatShape(indices!.shape)} counts axes of ${formatShape(x!.shape)}`,
      );
    }
    const expected = [...indices!.shape.slice(0, -1), ...x!.shape.slice(depth)];
    if (!shapesEqual(updates!.shape, expected)) {
      throw mismatch(
        `scatter: updates are ${formatShape(updates!.shape)}, expected ${formatShape(expected)} for indices ${formatShape(indices!.shape)}`,
      );
    }
    return [x!];
  },
  takeAlong: ([x, indices], { axis }) => {
    requireIndices("takeAlong", indices!);
    if (!shapesEqual(replaceAxis(x!.shape, axis, 0), replaceAxis(indices!.shape, axis, 0))) {
      throw mismatch(
        `takeAlong: indices ${formatShape(indices!.shape)} and ${formatShape(x!.shape)} differ off axis ${axis}`,
      );
    }
    return [{ dtype: x!.dtype, shape: indices!.shape }];
  },
  addAlong: ([indices, updates], { axis, size }) => {
    requireIndices("addAlong", indices!);
    if (!shapesEqual(indices!.shape, updates!.shape)) {
      throw mismatch(
        `addAlong: indices ${formatShape(indices!.shape)} and updates ${formatShape(updates!.shape)} differ`,
      );
    }
    return [{ dtype: updates!.dtype, shape: replaceAxis(updates!.shape, axis, size) }];
  },
  iota: (_, { size, dtype }) => [{ dtype, shape: [size] }],
  constant: (_, { tensor }) => [{ dtype: tensor.dtype, shape: tensor.shape }],
  weight: (_, { dtype, shape }) => [{ dtype, shape }],
  stopGradient: ([x]) => [x!],
};
