// The operation cases, as data: a function of tracers and the shapes of its arguments, random, non-square and batched.

import * as ops from "@flacuna/tensor";
import {
  causalAttention,
  crossEntropy,
  gelu,
  hadamard,
  logSoftmax,
  pagedAttention,
  rmsNorm,
  silu,
  softmax,
  swiglu,
  Tensor,
  type Tracer,
} from "@flacuna/tensor";
import { randomTensor } from "@flacuna/tensor/testing";

/** One operation. */
export interface OperationCase {
  readonly name: string;
  readonly fn: (...args: Tracer[]) => unknown;
  readonly shapes: readonly (readonly number[])[];
}

const positive = (x: Tracer): Tracer => ops.add(ops.mul(x, x), 0.5);
const indices = () => ops.constant(Tensor.fromArray("int64", [2, 3], [4, 0, 4, 1, 2, 0]));

/** Five tokens a row, in documents of two and three, and of four and one; six heads of four over two. */
const attendWhole = (query: Tracer, key: Tracer, value: Tracer) => {
  const table = (seed: number) => ops.cast(ops.constant(randomTensor([5, 2], seed)), query.dtype);
  const starts = ops.constant(Tensor.fromArray("int32", [2, 5], [0, 0, 2, 2, 2, 0, 0, 0, 0, 4]));
  return causalAttention({ query, key, value }, { headSize: 4, cos: table(1), sin: table(2), starts });
};

/** Two tokens of a sequence after three, and one that begins another; four heads of four over two, pages of four. */
const attendPaged = (query: Tracer, key: Tracer, value: Tracer, keys: Tracer, values: Tracer) => {
  const table = (seed: number) => ops.cast(ops.constant(randomTensor([6, 2], seed)), query.dtype);
  const integers = (shape: readonly number[], numbers: readonly number[]) =>
    ops.constant(Tensor.fromArray("int32", shape, numbers));
  const places = {
    pages: integers([2, 2], [2, 0, 1, 0]),
    sequence: integers([3], [0, 0, 1]),
    positions: integers([3], [3, 4, 0]),
  };
  const pool = { keys, values, ...places, cos: table(1), sin: table(2) };
  return pagedAttention({ query, key, value }, pool, { heads: 4, keyValueHeads: 2 });
};

const places = () => ops.constant(Tensor.fromArray("int64", [2, 3, 2], [4, 0, 0, 1, 2, 3, 1, 1, 3, 3, 0, 2]));

const CASES: readonly [string, OperationCase["fn"], OperationCase["shapes"]][] = [
  ["neg", ops.neg, [[2, 3]]],
  ["exp", ops.exp, [[2, 3]]],
  ["log", (x) => ops.log(positive(x)), [[2, 3]]],
  ["sqrt", (x) => ops.sqrt(positive(x)), [[2, 3]]],
  ["sin", ops.sin, [[5]]],
  ["cos", ops.cos, [[5]]],
  ["tanh", ops.tanh, [[5]]],
  ["sigmoid", ops.sigmoid, [[5]]],
  ["erf", ops.erf, [[9]]],
  ["abs", ops.abs, [[7]]],
  ["add", ops.add, [[2, 3], [3]]],
  [
    "sub",
    ops.sub,
    [
      [2, 1, 3],
      [4, 1],
    ],
  ],
  [
    "mul",
    ops.mul,
    [
      [2, 3],
      [2, 1],
    ],
  ],
  ["mul by itself", (x) => ops.mul(x, x), [[2, 3]]],
  ["div", (a, b) => ops.div(a, positive(b)), [[2, 3], [3]]],
  ["pow", (a, b) => ops.pow(positive(a), b), [[2, 3], [3]]],
  ["maximum", ops.maximum, [[4, 3], [3]]],
  [
    "minimum",
    ops.minimum,
    [
      [4, 3],
      [4, 1],
    ],
  ],
  ["where", (a, b) => ops.where(ops.less(a, 0.1), a, b), [[4, 3], [3]]],
  [
    "matmul",
    (a, b) => ops.matmul(a, b),
    [
      [2, 3, 4],
      [4, 5],
    ],
  ],
  [
    "matmul, second transposed",
    (a, b) => ops.matmul(a, b, { transposeB: true }),
    [
      [2, 3, 4],
      [5, 4],
    ],
  ],
  [
    "matmul, first transposed",
    (a, b) => ops.matmul(a, b, { transposeA: true }),
    [
      [2, 4, 3],
      [4, 5],
    ],
  ],
  [
    "matmul, both transposed",
    (a, b) => ops.matmul(a, b, { transposeA: true, transposeB: true }),
    [
      [4, 3],
      [5, 4],
    ],
  ],
  [
    "matmul, batches broadcast",
    (a, b) => ops.matmul(a, b, { transposeB: true }),
    [
      [2, 3, 3, 4],
      [2, 1, 5, 4],
    ],
  ],
  [
    "matmul, batches transposed",
    (a, b) => ops.matmul(a, b, { transposeA: true, transposeB: true }),
    [
      [3, 4, 2],
      [3, 5, 4],
    ],
  ],
  ["transpose", (x) => ops.mul(ops.transpose(x, [2, 0, 1]), 2), [[2, 3, 4]]],
  ["reshape", (x) => ops.reshape(x, [4, 6]), [[2, 3, 4]]],
  ["broadcastTo", (x) => ops.broadcastTo(x, [4, 2, 3]), [[2, 1]]],
  ["slice", (x) => ops.slice(x, { axis: 1, start: 1, end: 3 }), [[2, 4, 3]]],
  ["pad", (x) => ops.pad(x, { axis: 0, before: 2, after: 1 }), [[2, 3]]],
  [
    "concat",
    (a, b) => ops.concat([a, b, a], 1),
    [
      [2, 3],
      [2, 4],
    ],
  ],
  ["split", (x) => ops.split(x, { axis: -1, sizes: [1, 3, 2] }), [[2, 6]]],
  ["split, one part used", (x) => ops.split(x, { axis: -1, sizes: [1, 3, 2] })[1], [[2, 6]]],
  ["sum", (x) => ops.sum(x, { axis: [0, 2] }), [[2, 3, 4]]],
  ["mean", (x) => ops.mean(x, { axis: -1, keepDims: true }), [[2, 3, 4]]],
  ["max", (x) => ops.max(x, { axis: 1 }), [[3, 5]]],
  ["gather", (x) => ops.gather(x, indices()), [[5, 4]]],
  ["scatterAdd", (x) => ops.scatterAdd(6, indices(), x), [[2, 3, 4]]],
  [
    "scatter",
    (x, updates) => ops.scatter(x, places(), updates),
    [
      [5, 4, 2],
      [2, 3, 2],
    ],
  ],
  ["takeAlong", (x) => ops.takeAlong(x, indices(), 1), [[2, 5]]],
  ["softmax", softmax, [[3, 5]]],
  ["logSoftmax", logSoftmax, [[3, 5]]],
  ["silu", silu, [[7]]],
  ["gelu", gelu, [[7]]],
  ["rmsNorm", (x, w) => rmsNorm(x, w, 1e-5), [[2, 3, 4], [4]]],
  ["crossEntropy", (x) => crossEntropy(x, ops.constant(Tensor.fromArray("int64", [3], [4, 0, 2]))), [[3, 5]]],
  [
    "swiglu",
    swiglu,
    [
      [2, 3],
      [2, 3],
    ],
  ],
  ["hadamard", hadamard, [[2, 3, 128]]],
  [
    "causalAttention",
    attendWhole,
    [
      [2, 5, 24],
      [2, 5, 8],
      [2, 5, 8],
    ],
  ],
  [
    "pagedAttention",
    attendPaged,
    [
      [3, 16],
      [3, 8],
      [3, 8],
      [3, 2, 4, 4],
      [3, 2, 4, 4],
    ],
  ],
];

/** Differentiable operations. */
export const OPERATIONS: readonly OperationCase[] = CASES.map(([name, fn, shapes]) => ({ name, fn, shapes }));
