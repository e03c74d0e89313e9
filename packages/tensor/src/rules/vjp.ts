// The pullback of every primitive: cotangents of outputs to cotangents of inputs. One exhaustive table; a rule looks at nothing else.
import { isFloating } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import * as ops from "../ops.ts";
import type { BinaryName, PrimitiveName, PrimitiveParams, UnaryName } from "../primitive.ts";
import { addDims, type Dim, dimsEqual, mulDims, type Shape, sizeOf, subDims } from "../shape.ts";
import { bindOne, type Tracer } from "../trace.ts";

/** What a pullback may look at. */
export interface PullbackContext<P extends PrimitiveName> {
  readonly inputs: readonly Tracer[];
  readonly outputs: readonly Tracer[];
  readonly params: PrimitiveParams[P];
}

/** `undefined` stands for a cotangent of zero. */
type Cotangents = readonly (Tracer | undefined)[];

type Pullback<P extends PrimitiveName> = (
  cotangents: readonly Tracer[],
  context: PullbackContext<P>,
) => Cotangents;

const {
  add,
  cos,
  div,
  equal,
  exp,
  lessEqual,
  less,
  log,
  logicalNot,
  matmul,
  mul,
  neg,
  pow,
  sin,
  slice,
  sub,
  transpose,
  where,
} = ops;

/** The cotangent summed back over the axes that broadcasting stretched. */
export function sumTo(cotangent: Tracer, shape: Shape): Tracer {
  const extra = cotangent.shape.length - shape.length;
  const stretched = cotangent.shape.flatMap((size, axis) => {
    if (axis < extra) return [axis];
    return shape[axis - extra] === 1 && size !== 1 ? [axis] : [];
  });
  const summed = stretched.length === 0 ? cotangent : ops.sum(cotangent, { axis: stretched, keepDims: true });
  return ops.reshape(summed, shape);
}

const elementwise =
  (derivative: (x: Tracer, y: Tracer) => Tracer | number): Pullback<UnaryName> =>
  ([g], { inputs: [x], outputs: [y] }) => [mul(g!, derivative(x!, y!))];

const broadcasting =
  (rule: (g: Tracer, a: Tracer, b: Tracer, y: Tracer) => [Tracer, Tracer]): Pullback<BinaryName> =>
  ([g], { inputs: [a, b], outputs: [y] }) => {
    const [toA, toB] = rule(g!, a!, b!, y!);
    return [sumTo(toA, a!.shape), sumTo(toB, b!.shape)];
  };

/** The cotangent goes to the operand that was chosen; to the first where they are equal. */
const selecting = (choosesFirst: (a: Tracer, b: Tracer) => Tracer): Pullback<BinaryName> =>
  broadcasting((g, a, b) => {
    const first = choosesFirst(a, b);
    return [where(first, g, 0), where(first, 0, g)];
  });

const none = (_: Cotangents, { inputs }: { readonly inputs: readonly Tracer[] }): Cotangents =>
  inputs.map(() => undefined);

const collapse = (x: Tracer): Tracer => {
  const rows = x.shape.slice(0, -1).reduce<Dim>(mulDims, 1);
  return ops.reshape(x, [rows, x.shape.at(-1)!]);
};

const matmulPullback: Pullback<"matmul"> = ([g], { inputs: [a, b], params: { transposeA, transposeB } }) => {
  const toA = transposeA
    ? matmul(b!, g!, { transposeA: transposeB, transposeB: true })
    : matmul(g!, b!, { transposeB: !transposeB });
  const [rows, cotangent] = b!.shape.length === 2 && !transposeA ? [collapse(a!), collapse(g!)] : [a!, g!];
  const toB = transposeB
    ? matmul(cotangent, rows, { transposeA: true, transposeB: transposeA })
    : matmul(rows, cotangent, { transposeA: !transposeA });
  return [sumTo(toA, a!.shape), sumTo(toB, b!.shape)];
};

const maxPullback: Pullback<"reduceMax"> = ([g], { inputs: [x], outputs: [y], params: { axes } }) => {
  const isMax = ops.cast(equal(x!, y!), x!.dtype);
  return [mul(div(isMax, ops.sum(isMax, { axis: axes, keepDims: true })), g!)];
};

/** What `scatter` would replace: x's slices at indices [..., R] of its first R axes. */
function slicesAt(x: Tracer, indices: Tracer): Tracer {
  const leading = x.shape.slice(0, indices.shape.at(-1) as number);
  const rows = leading.map((_, axis) => {
    const position = slice(indices, { axis: -1, start: axis, end: axis + 1 });
    return mul(position, ops.dimValue(sizeOf(leading.slice(axis + 1)), indices.dtype));
  });
  const row = ops.reshape(rows.reduce(add), indices.shape.slice(0, -1));
  return ops.gather(ops.reshape(x, [sizeOf(leading), ...x.shape.slice(leading.length)]), row);
}

/** One rule per primitive; `composite` is handled by the reverse walk, which knows definitions. */
export const VJP_RULES: { [P in Exclude<PrimitiveName, "composite">]: Pullback<P> } = {
  neg: ([g]) => [neg(g!)],
  exp: elementwise((_, y) => y),
  log: ([g], { inputs: [x] }) => [div(g!, x!)],
  sqrt: ([g], { outputs: [y] }) => [div(mul(g!, 0.5), y!)],
  sin: elementwise((x) => cos(x)),
  cos: elementwise((x) => neg(sin(x))),
  tanh: elementwise((_, y) => sub(1, mul(y, y))),
  sigmoid: elementwise((_, y) => mul(y, sub(1, y))),
  erf: elementwise((x) => mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
  abs: ([g], { inputs: [x] }) => [where(less(x!, 0), neg(g!), where(equal(x!, 0), 0, g!))],
  floor: none,
  logicalNot: none,
  add: broadcasting((g) => [g, g]),
  sub: broadcasting((g) => [g, neg(g)]),
  mul: broadcasting((g, a, b) => [mul(g, b), mul(g, a)]),
  div: broadcasting((g, _, b, y) => [div(g, b), neg(div(mul(g, y), b))]),
  pow: broadcasting((g, a, b, y) => [
    mul(g, mul(b, pow(a, sub(b, 1)))),
    mul(g, where(equal(a, 0), 0, mul(y, log(where(equal(a, 0), 1, a))))),
  ]),
  maximum: selecting((a, b) => lessEqual(b, a)),
  minimum: selecting((a, b) => lessEqual(a, b)),
  mod: none,
  equal: none,
  less: none,
  lessEqual: none,
  logicalAnd: none,
  logicalOr: none,
  where: ([g], { inputs: [condition, a, b] }) => [
    undefined,
    sumTo(where(condition!, g!, 0), a!.shape),
    sumTo(where(logicalNot(condition!), g!, 0), b!.shape),
  ],
  cast: ([g], { inputs: [x] }) => [isFloating(x!.dtype) ? ops.cast(g!, x!.dtype) : undefined],
  matmul: matmulPullback,
  transpose: ([g], { params: { permutation } }) => [
    transpose(
      g!,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  reshape: ([g], { inputs: [x] }) => [ops.reshape(g!, x!.shape)],
  broadcast: ([g], { inputs: [x] }) => [sumTo(g!, x!.shape)],
  slice: ([g], { inputs: [x], params: { axis, start, end } }) => [
    ops.pad(g!, { axis, before: start, after: subDims(x!.shape[axis]!, end) }),
  ],
  pad: ([g], { inputs: [x], params: { axis, before } }) => [
    slice(g!, { axis, start: before, end: addDims(before, x!.shape[axis]!) }),
  ],
  concat: ([g], { inputs, params: { axis } }) =>
    ops.split(g!, { axis, sizes: inputs.map(({ shape }) => shape[axis]!) }),
  split: (cotangents, { params: { axis } }) => [ops.concat(cotangents, axis)],
  reduceSum: ([g], { inputs: [x] }) => [ops.broadcastTo(g!, x!.shape)],
  reduceMax: maxPullback,
  argmax: none,
  gather: ([g], { inputs: [table, indices] }) => [ops.scatterAdd(table!.shape[0]!, indices!, g!), undefined],
  scatterAdd: ([g], { inputs: [indices] }) => [undefined, ops.gather(g!, indices!)],
  scatter: ([g], { inputs: [, indices, updates] }) => [
    ops.scatter(g!, indices!, ops.full(updates!.shape, 0, g!.dtype)),
    undefined,
    slicesAt(g!, indices!),
  ],
  takeAlong: ([g], { inputs: [x, indices], params: { axis } }) => [
    bindOne("addAlong", [indices!, g!], { axis, size: x!.shape[axis]! }),
    undefined,
  ],
  addAlong: ([g], { inputs: [indices], params: { axis } }) => [undefined, ops.takeAlong(g!, indices!, axis)],
  iota: none,
  constant: none,
  weight: none,
  stopGradient: none,
};

/** Whether two cotangents may be added. */
export function addCotangents(a: Tracer | undefined, b: Tracer): Tracer {
  if (a === undefined) return b;
  if (!dimsEqual(sizeOf(a.shape), sizeOf(b.shape))) {
    throw new TensorError("TENSOR_INTERNAL", "cotangents of one value differ in shape");
  }
  return add(a, b);
}
