// The value of every primitive by plain loops: one exhaustive table, the oracle of all other executors. Never optimised.
import { allocateArray, DTYPES, type DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "../float16.ts";
import type { BinaryName, CompareName, PrimitiveName, PrimitiveParams, UnaryName } from "../primitive.ts";
import { broadcastShapes, evaluateDim, evaluateShape, type Shape } from "../shape.ts";
import { elementCount, Tensor } from "../tensor.ts";

/** What a rule may know beside its operands: the sizes of the symbolic dimensions. */
export type Sizes = ReadonlyMap<string, number>;

type Rule<P extends PrimitiveName> = (
  inputs: readonly Tensor[],
  params: PrimitiveParams[P],
  sizes: Sizes,
) => readonly Tensor[];

type Scalar = number | bigint;

/** Elements as numbers, or as bigints for int64, so that wide integers stay exact. */
function elements({ dtype, data }: Tensor): ArrayLike<Scalar> {
  if (dtype === "float16") return float16ToFloat32(data as Uint16Array);
  if (dtype === "bfloat16") return bfloat16ToFloat32(data as Uint16Array);
  return data;
}

function fromElements(dtype: DType, shape: readonly number[], values: readonly Scalar[]): Tensor {
  if (DTYPES[dtype].kind === "integer" && dtype !== "int64") {
    const data = allocateArray(dtype, values.length);
    values.forEach((value, index) => {
      (data as Int32Array)[index] = Number(value);
    });
    return new Tensor(dtype, shape, data as never);
  }
  return Tensor.fromArray(dtype, shape, values);
}

/** Row-major strides; 0 on axes of size 1, so that they broadcast. */
function broadcastStrides(shape: readonly number[], rank: number): number[] {
  const strides = new Array<number>(rank).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1) strides[axis + rank - shape.length] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Calls back with every index of a shape, in row-major order. */
function forEachIndex(
  shape: readonly number[],
  visit: (index: readonly number[], position: number) => void,
): void {
  const index = new Array<number>(shape.length).fill(0);
  const count = elementCount(shape);
  for (let position = 0; position < count; position++) {
    visit(index, position);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
}

const offsetOf = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((total, position, axis) => total + position * strides[axis]!, 0);

function elementwise(
  inputs: readonly Tensor[],
  dtype: DType,
  fn: (...values: Scalar[]) => Scalar,
): readonly Tensor[] {
  const shape = inputs
    .map((input) => input.shape as Shape)
    .reduce((a, b) => broadcastShapes(a, b, "evaluate")) as number[];
  const strides = inputs.map((input) => broadcastStrides(input.shape, shape.length));
  const values = inputs.map(elements);
  const result = new Array<Scalar>(elementCount(shape));
  forEachIndex(shape, (index, position) => {
    result[position] = fn(...values.map((array, operand) => array[offsetOf(index, strides[operand]!)]!));
  });
  return [fromElements(dtype, shape, result)];
}

const unary =
  (fn: (x: number) => number): Rule<UnaryName> =>
  (inputs) =>
    elementwise(inputs, inputs[0]!.dtype, (x) => (typeof x === "bigint" ? BigInt(fn(Number(x))) : fn(x)));

const binary =
  (fn: (a: number, b: number) => number, exact: (a: bigint, b: bigint) => bigint): Rule<BinaryName> =>
  (inputs) =>
    elementwise(inputs, inputs[0]!.dtype, (a, b) =>
      typeof a === "bigint" ? BigInt.asIntN(64, exact(a, b as bigint)) : fn(a, b as number),
    );

const compare =
  (fn: (a: Scalar, b: Scalar) => boolean): Rule<CompareName> =>
  (inputs) =>
    elementwise(inputs, "bool", (a, b) => Number(fn(a!, b!)));

const floorMod = (a: number, b: number): number => a - Math.floor(a / b) * b;

/** Abramowitz & Stegun 7.1.5 and 7.1.14: the Taylor series near zero, a continued fraction of erfc beyond. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = size;
    let total = size;
    for (let n = 1; Math.abs(term) > 1e-17 * total; n++) {
      term *= (-size * size) / n;
      total += term / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / (size + fraction));
}

function rearrange(
  x: Tensor,
  shape: readonly number[],
  source: (index: readonly number[]) => number,
): readonly Tensor[] {
  const data = allocateArray(x.dtype, elementCount(shape));
  forEachIndex(shape, (index, position) => {
    const from = source(index);
    if (from >= 0) (data as Float32Array)[position] = (x.data as Float32Array)[from]!;
  });
  return [new Tensor(x.dtype, shape, data as never)];
}

const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => elementCount(shape.slice(axis + 1)));

/** Copies a block along an axis: output position `p` takes input position `p − before`, zero outside. */
function shiftAxis(x: Tensor, axis: number, before: number, size: number): readonly Tensor[] {
  const shape = x.shape.map((old, index) => (index === axis ? size : old));
  const strides = stridesOf(x.shape);
  return rearrange(x, shape, (index) => {
    const position = index[axis]! - before;
    if (position < 0 || position >= x.shape[axis]!) return -1;
    return offsetOf(index, strides) - before * strides[axis]!;
  });
}

function reduce(
  x: Tensor,
  axes: readonly number[],
  initial: number,
  combine: (total: number, value: number) => number,
) {
  const shape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const strides = broadcastStrides(shape, shape.length);
  const totals = new Array<number>(elementCount(shape)).fill(initial);
  const values = elements(x);
  forEachIndex(x.shape, (index, position) => {
    const at = offsetOf(index, strides);
    totals[at] = combine(totals[at]!, Number(values[position]));
  });
  return [Tensor.fromArray(x.dtype, shape, totals)];
}

function matmul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): readonly Tensor[] {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), "matmul") as number[];
  const [rows, inner] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const strides = [a, b].map(({ shape }) =>
    broadcastStrides(shape.slice(0, -2), batch.length).map(
      (stride) => stride * shape.at(-1)! * shape.at(-2)!,
    ),
  );
  const [left, right] = [elements(a), elements(b)];
  const result: number[] = [];
  forEachIndex(batch, (index) => {
    const startA = offsetOf(index, strides[0]!);
    const startB = offsetOf(index, strides[1]!);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let total = 0;
        for (let k = 0; k < inner; k++) {
          const x = left[startA + (transposeA ? k * rows + i : i * inner + k)] as number;
          const y = right[startB + (transposeB ? j * inner + k : k * columns + j)] as number;
          total += x * y;
        }
        result.push(total);
      }
    }
  });
  return [Tensor.fromArray(a.dtype, [...batch, rows, columns], result)];
}

function checkedIndex(value: Scalar, size: number, where: string): number {
  const index = Number(value) < 0 ? Number(value) + size : Number(value);
  if (!(index >= 0 && index < size)) {
    throw new TensorError("TENSOR_INVALID_ARGUMENT", `${where}: index ${value} is outside 0…${size - 1}`);
  }
  return index;
}

function scatterRows(indices: Tensor, updates: Tensor, size: number): readonly Tensor[] {
  const rest = updates.shape.slice(indices.shape.length);
  const width = elementCount(rest);
  const result = new Array<number>(size * width).fill(0);
  const [rows, values] = [elements(indices), elements(updates)];
  for (let n = 0; n < rows.length; n++) {
    const row = checkedIndex(rows[n]!, size, "scatterAdd");
    for (let c = 0; c < width; c++) result[row * width + c]! += Number(values[n * width + c]);
  }
  return [Tensor.fromArray(updates.dtype, [size, ...rest], result)];
}

function scatter(x: Tensor, indices: Tensor, updates: Tensor): readonly Tensor[] {
  const depth = indices.shape.at(-1)!;
  const strides = stridesOf(x.shape);
  const width = strides[depth - 1]!;
  const places = elements(indices);
  const data = x.data.slice() as Float32Array;
  for (let n = 0; n * depth < places.length; n++) {
    const index = Array.from({ length: depth }, (_, axis) =>
      checkedIndex(places[n * depth + axis]!, x.shape[axis]!, "scatter"),
    );
    data.set((updates.data as Float32Array).subarray(n * width, (n + 1) * width), offsetOf(index, strides));
  }
  return [new Tensor(x.dtype, x.shape, data as never)];
}

function addAlong(indices: Tensor, updates: Tensor, axis: number, size: number): readonly Tensor[] {
  const shape = updates.shape.map((old, index) => (index === axis ? size : old));
  const strides = stridesOf(shape);
  const result = new Array<number>(elementCount(shape)).fill(0);
  const [rows, values] = [elements(indices), elements(updates)];
  forEachIndex(updates.shape, (index, position) => {
    const row = checkedIndex(rows[position]!, size, "addAlong");
    result[offsetOf(index, strides) + (row - index[axis]!) * strides[axis]!]! += Number(values[position]);
  });
  return [Tensor.fromArray(updates.dtype, shape, result)];
}

function argmax(x: Tensor, axis: number): readonly Tensor[] {
  const shape = x.shape.filter((_, index) => index !== axis);
  const stride = elementCount(x.shape.slice(axis + 1));
  const values = elements(x);
  const result: number[] = [];
  forEachIndex(shape, (_, position) => {
    const start = Math.floor(position / stride) * stride * x.shape[axis]! + (position % stride);
    let best = 0;
    for (let n = 1; n < x.shape[axis]!; n++) {
      if (values[start + n * stride]! > values[start + best * stride]!) best = n;
    }
    result.push(best);
  });
  return [Tensor.fromArray("int64", shape, result)];
}

/** One rule per primitive; `composite` and `weight` are handled by the interpreter, which knows programs and weights. */
export const EVALUATE_RULES: { [P in Exclude<PrimitiveName, "composite" | "weight">]: Rule<P> } = {
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  tanh: unary(Math.tanh),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  erf: unary(erf),
  abs: unary(Math.abs),
  floor: unary(Math.floor),
  logicalNot: unary((x) => 1 - x),
  add: binary(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  sub: binary(
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  mul: binary(
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  div: (inputs) =>
    DTYPES[inputs[0]!.dtype].kind === "integer"
      ? elementwise(inputs, inputs[0]!.dtype, (a, b) =>
          typeof a === "bigint" ? a / (b as bigint) : Math.trunc(a / (b as number)),
        )
      : binary(
          (a, b) => a / b,
          (a, b) => a / b,
        )(inputs, {} as never, new Map()),
  pow: binary(
    (a, b) => a ** b,
    (a, b) => a ** b,
  ),
  maximum: binary(
    (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b)),
    // biome-ignore lint/complexity/useMathMinMax: Math.max takes no bigint
    (a, b) => (a > b ? a : b),
  ),
  minimum: binary(
    (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.min(a, b)),
    // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
    (a, b) => (a < b ? a : b),
  ),
  mod: binary(floorMod, (a, b) => ((a % b) + b) % b),
  equal: compare((a, b) => a === b),
  less: compare((a, b) => a < b),
  lessEqual: compare((a, b) => a <= b),
  logicalAnd: compare((a, b) => a === 1 && b === 1),
  logicalOr: compare((a, b) => a === 1 || b === 1),
  where: (inputs) => elementwise(inputs, inputs[1]!.dtype, (condition, a, b) => (condition === 1 ? a! : b!)),
  cast: ([x], { dtype }) => {
    const truncate = DTYPES[dtype].kind === "integer";
    const values = Array.from(elements(x!), (value) =>
      dtype === "bool"
        ? Number(Number(value) !== 0)
        : truncate && typeof value === "number"
          ? Math.trunc(value)
          : value,
    );
    return [
      fromElements(
        dtype,
        x!.shape,
        values.map((value) => (dtype === "int64" || truncate ? value : Number(value))),
      ),
    ];
  },
  matmul: ([a, b], { transposeA, transposeB }) => matmul(a!, b!, transposeA, transposeB),
  transpose: ([x], { permutation }) => {
    const strides = stridesOf(x!.shape);
    const shape = permutation.map((axis) => x!.shape[axis]!);
    return rearrange(x!, shape, (index) =>
      permutation.reduce((at, axis, n) => at + index[n]! * strides[axis]!, 0),
    );
  },
  reshape: ([x], { shape }, sizes) => [new Tensor(x!.dtype, evaluateShape(shape, sizes), x!.data)],
  broadcast: ([x], { shape }, sizes) => {
    const target = evaluateShape(shape, sizes);
    const strides = broadcastStrides(x!.shape, target.length);
    return rearrange(x!, target, (index) => offsetOf(index, strides));
  },
  slice: ([x], { axis, start, end }, sizes) => {
    const from = evaluateDim(start, sizes);
    return shiftAxis(x!, axis, -from, evaluateDim(end, sizes) - from);
  },
  pad: ([x], { axis, before, after }, sizes) => {
    const zeros = evaluateDim(before, sizes);
    return shiftAxis(x!, axis, zeros, zeros + x!.shape[axis]! + evaluateDim(after, sizes));
  },
  concat: (inputs, { axis }) => {
    const [first] = inputs;
    const size = inputs.reduce((total, { shape }) => total + shape[axis]!, 0);
    const outer = elementCount(first!.shape.slice(0, axis));
    const shape = first!.shape.map((old, index) => (index === axis ? size : old));
    const data = allocateArray(first!.dtype, elementCount(shape)) as Float32Array;
    let position = 0;
    for (let row = 0; row < outer; row++) {
      for (const input of inputs) {
        const width = elementCount(input.shape.slice(axis));
        data.set((input.data as Float32Array).subarray(row * width, (row + 1) * width), position);
        position += width;
      }
    }
    return [new Tensor(first!.dtype, shape, data as never)];
  },
  split: ([x], { axis, sizes: parts }, sizes) => {
    let from = 0;
    return evaluateShape(parts, sizes).map((size) => {
      const part = shiftAxis(x!, axis, -from, size)[0]!;
      from += size;
      return part;
    });
  },
  reduceSum: ([x], { axes }) => reduce(x!, axes, 0, (total, value) => total + value),
  reduceMax: ([x], { axes }) => reduce(x!, axes, Number.NEGATIVE_INFINITY, Math.max),
  argmax: ([x], { axis }) => argmax(x!, axis),
  gather: ([table, indices]) => {
    const width = elementCount(table!.shape.slice(1));
    const rows = elements(indices!);
    const shape = [...indices!.shape, ...table!.shape.slice(1)];
    const data = allocateArray(table!.dtype, elementCount(shape)) as Float32Array;
    for (let n = 0; n < rows.length; n++) {
      const row = checkedIndex(rows[n]!, table!.shape[0]!, "gather");
      data.set((table!.data as Float32Array).subarray(row * width, (row + 1) * width), n * width);
    }
    return [new Tensor(table!.dtype, shape, data as never)];
  },
  scatterAdd: ([indices, updates], { size }, sizes) =>
    scatterRows(indices!, updates!, evaluateDim(size, sizes)),
  scatter: ([x, indices, updates]) => scatter(x!, indices!, updates!),
  takeAlong: ([x, indices], { axis }) => {
    const rows = elements(indices!);
    const strides = stridesOf(x!.shape);
    let position = 0;
    return rearrange(x!, indices!.shape, (index) => {
      const row = checkedIndex(rows[position++]!, x!.shape[axis]!, "takeAlong");
      return offsetOf(index, strides) + (row - index[axis]!) * strides[axis]!;
    });
  },
  addAlong: ([indices, updates], { axis, size }, sizes) =>
    addAlong(indices!, updates!, axis, evaluateDim(size, sizes)),
  iota: (_, { size, dtype }, sizes) => {
    const count = evaluateDim(size, sizes);
    return [
      Tensor.fromArray(
        dtype,
        [count],
        Array.from({ length: count }, (__, index) => index),
      ),
    ];
  },
  constant: (_, { tensor }) => [tensor],
  stopGradient: ([x]) => [x!],
};
