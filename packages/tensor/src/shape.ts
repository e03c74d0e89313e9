// Static and symbolic dimensions, broadcasting and axis arithmetic. Knows no operation by name.
import { TensorError } from "./errors.ts";

/** A size known when tracing (a number) or only when running (a polynomial over named sizes). */
export type Dim = number | SymbolicDim;

/** A list of dimensions, outermost first. */
export type Shape = readonly Dim[];

/** A polynomial with integer coefficients over named sizes, such as `B*T` or `T + 1`. */
export class SymbolicDim {
  /** Coefficient by monomial; a monomial is its sorted names joined by `*`, the empty string is the constant. */
  readonly terms: ReadonlyMap<string, number>;
  /** Canonical text: two dimensions are equal exactly when their texts are. */
  readonly text: string;

  constructor(terms: ReadonlyMap<string, number>) {
    this.terms = terms;
    this.text = [...terms]
      .sort(([a], [b]) => (a < b ? 1 : -1))
      .map(([monomial, coefficient]) => formatTerm(monomial, coefficient))
      .join("+");
  }

  toString(): string {
    return this.text;
  }
}

function formatTerm(monomial: string, coefficient: number): string {
  if (monomial === "") return String(coefficient);
  return coefficient === 1 ? monomial : `${coefficient}*${monomial}`;
}

/**
 * A named size, bound when a compiled program is run.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when the name is not an identifier
 */
export function dim(name: string): SymbolicDim {
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    throw new TensorError("TENSOR_INVALID_ARGUMENT", `dim: expected an identifier, got "${name}"`);
  }
  return new SymbolicDim(new Map([[name, 1]]));
}

const termsOf = (value: Dim): ReadonlyMap<string, number> =>
  typeof value === "number" ? new Map([["", value]]) : value.terms;

function fromTerms(terms: Map<string, number>): Dim {
  for (const [monomial, coefficient] of terms) if (coefficient === 0) terms.delete(monomial);
  if (terms.size === 0) return 0;
  const constant = terms.get("");
  return terms.size === 1 && constant !== undefined ? constant : new SymbolicDim(terms);
}

/** The sum of two dimensions. */
export function addDims(a: Dim, b: Dim): Dim {
  const terms = new Map(termsOf(a));
  for (const [monomial, coefficient] of termsOf(b)) {
    terms.set(monomial, (terms.get(monomial) ?? 0) + coefficient);
  }
  return fromTerms(terms);
}

/** The product of two dimensions. */
export function mulDims(a: Dim, b: Dim): Dim {
  const terms = new Map<string, number>();
  for (const [left, p] of termsOf(a)) {
    for (const [right, q] of termsOf(b)) {
      const monomial = [...left.split("*"), ...right.split("*")].filter(Boolean).sort().join("*");
      terms.set(monomial, (terms.get(monomial) ?? 0) + p * q);
    }
  }
  return fromTerms(terms);
}

/** `a - b`. */
export const subDims = (a: Dim, b: Dim): Dim => addDims(a, mulDims(b, -1));

/** Whether two dimensions are the same size for every binding of their names. */
export const dimsEqual = (a: Dim, b: Dim): boolean => String(a) === String(b);

/** Whether two shapes are the same for every binding of their names. */
export const shapesEqual = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, axis) => dimsEqual(size, b[axis]!));

/** The number of elements. */
export const sizeOf = (shape: Shape): Dim => shape.reduce<Dim>(mulDims, 1);

/** A shape as text, such as `[B, T, 64]`. */
export const formatShape = (shape: Shape): string => `[${shape.map(String).join(", ")}]`;

/** Every name that occurs in the dimension. */
export function namesIn(value: Dim): string[] {
  return [...new Set([...termsOf(value).keys()].flatMap((monomial) => monomial.split("*")).filter(Boolean))];
}

/**
 * The size of a dimension under a binding of names to sizes.
 *
 * @throws TensorError `TENSOR_INTERNAL` when a name is not bound
 */
export function evaluateDim(value: Dim, sizes: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const [monomial, coefficient] of termsOf(value)) {
    let product = coefficient;
    for (const name of monomial.split("*").filter(Boolean)) {
      const size = sizes.get(name);
      if (size === undefined) throw new TensorError("TENSOR_INTERNAL", `dimension ${name} is not bound`);
      product *= size;
    }
    total += product;
  }
  return total;
}

/** The shape's sizes under a binding of names. */
export const evaluateShape = (shape: Shape, sizes: ReadonlyMap<string, number>): number[] =>
  shape.map((size) => evaluateDim(size, sizes));

/**
 * An axis counted from the front, given one that may count from the back.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when the axis is outside the rank
 */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `${where}: axis ${axis} is outside a value of rank ${rank}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/**
 * The shape two operands broadcast to, by NumPy's rule (sizes of 1 stretch, missing leading axes are 1).
 *
 * @throws TensorError `TENSOR_SHAPE_MISMATCH`
 */
export function broadcastShapes(a: Shape, b: Shape, where: string): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === 1 || dimsEqual(left, right)) return right;
    if (right === 1) return left;
    throw new TensorError(
      "TENSOR_SHAPE_MISMATCH",
      `${where}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast (axis ${axis}: ${left} against ${right})`,
    );
  });
}
