// Program to program, meaning preserved: neighbours that one native kernel computes become one composite.
import {
  type BlockLinear,
  blockProducts,
  INT4_BLOCK_LINEAR,
  INT8_BLOCK_LINEAR,
  MOST_WEIGHTS,
  PROLOGUE_OF,
  type ValueBytes,
} from "./composites/block-linear.ts";
import { INT8_FEED_FORWARD } from "./composites/int8-feed-forward.ts";
import { RMS_NORM_QUANTIZE } from "./composites/rms-norm.ts";
import { HADAMARD_SWIGLU_GRAD, SWIGLU_GRAD_QUANTIZE, SWIGLU_QUANTIZE } from "./composites/swiglu.ts";
import { type CompositeEquation, isComposite, Neighbours } from "./neighbours.ts";
import { weight } from "./ops.ts";
import type { Equation, Program, Var } from "./program.ts";
import { type Replace, rewriteProgram } from "./rewrite.ts";
import { shapesEqual } from "./shape.ts";
import { bindComposite, type Tracer } from "./trace.ts";

interface Context {
  readonly neighbours: Neighbours;
  /** results made ahead of their equation, by its first output */
  readonly ready: Map<number, readonly Tracer[]>;
  /** values that the gradient reads in bfloat16 */
  readonly kept: Map<number, Tracer>;
  valueOf(variable: Var): Tracer;
}

/** The results that stand for an equation's outputs; undefined when the rule does not apply. */
type Rule = (equation: Equation, context: Context) => readonly Tracer[] | undefined;

/** Composites that can add to a value of their result's shape, and how many inputs they have without one. */
const ADDING: Readonly<Record<string, number>> = {
  int8Linear: 5,
  int8LinearTransposed: 4,
  bfloat16Linear: 2,
  bfloat16LinearTransposed: 2,
  int16Linear: 3,
  int16LinearTransposed: 3,
  int4Linear: 4,
  int4LinearTransposed: 4,
  int8BlockLinear: 3,
  int4BlockLinear: 4,
  rmsNormGrad: 4,
};

/** a + product → the product with `a` as its addend, when nobody else reads the product. */
const addToProduct: Rule = (equation, context) => {
  const { neighbours, valueOf } = context;
  if (equation.primitive !== "add") return undefined;
  const [a, b] = equation.inputs as readonly [Var, Var];
  if (!shapesEqual(a.shape, b.shape)) return undefined;
  const orders = [
    [b, a],
    [a, b],
  ] as const;
  for (const [product, addend] of orders) {
    const producer = neighbours.onlyFor(product, Object.keys(ADDING));
    if (producer === undefined) continue;
    const { composite, attributes } = producer.params;
    if (producer.inputs.length !== ADDING[composite.name]) continue;
    if (composite.name in BLOCK_LINEARS) return multiplyInBlocks([producer], context, valueOf(addend));
    return bindComposite(composite, [...producer.inputs, addend].map(valueOf), attributes);
  }
  return undefined;
};

/** Products of rows in blocks, of which an operator can compute several. */
const BLOCK_LINEARS: Readonly<Record<string, BlockLinear>> = {
  int8BlockLinear: INT8_BLOCK_LINEAR,
  int4BlockLinear: INT4_BLOCK_LINEAR,
};

/** A part of a weight, perhaps ahead of its equation; undefined when something else makes it. */
function weightOf(part: Var, { neighbours, valueOf }: Context): Tracer {
  const producer = neighbours.producerOf(part);
  return producer?.primitive === "weight" ? weight(producer.params.path, part) : valueOf(part);
}

/** Products of the same rows in one operator, which makes the rows itself when nobody else reads them. */
function multiplyInBlocks(
  products: readonly CompositeEquation[],
  context: Context,
  addend?: Tracer,
): readonly Tracer[] {
  const { neighbours, valueOf } = context;
  const [product] = products as readonly [CompositeEquation];
  const feedForward = multiplyFeedForward(product, context, addend);
  if (feedForward !== undefined) return feedForward;
  const { inputs, params } = product;
  const x = inputs[0]!;
  const weights = products.map((each) => ({
    parts: each.inputs.slice(1).map((part) => weightOf(part, context)),
    out: each.params.attributes.out!,
  }));
  const linear = BLOCK_LINEARS[params.composite.name]!;
  const first = prologueForAll(x, products, neighbours);
  const bytes = params.attributes.bytes as ValueBytes;
  if (first === undefined) return blockProducts(linear, valueOf(x), weights, { bytes, addend });
  const [rows, companion] = first.source.inputs.map(valueOf);
  return blockProducts(linear, rows!, weights, {
    bytes,
    prologue: first.prologue,
    companion,
    epsilon: first.source.params.attributes.eps,
    addend,
  });
}

/** What makes rows for these products alone, when a product can do it first; it reads what the source reads. */
function prologueForAll(
  x: Var,
  products: readonly Equation[],
  neighbours: Neighbours,
): { readonly prologue: number; readonly source: CompositeEquation } | undefined {
  const producer = neighbours.producerOf(x);
  if (!isComposite(producer, Object.keys(PROLOGUE_OF))) return undefined;
  const readers = producer.outputs.flatMap((output) => neighbours.readersOf(output));
  if (!readers.every((reader) => reader !== "output" && products.includes(reader))) return undefined;
  const { name } = producer.params.composite;
  const source = name === "hadamard" ? neighbours.onlyFor(producer.inputs[0]!, ["swiglu"]) : producer;
  return source && { prologue: PROLOGUE_OF[name]!, source };
}

/** The product after swiglu, perhaps transformed, of two int8 products of the same rows → all of them in one operator. */
function multiplyFeedForward(
  down: CompositeEquation,
  context: Context,
  addend?: Tracer,
): readonly Tracer[] | undefined {
  const { neighbours, kept, valueOf } = context;
  const first = prologueForAll(down.inputs[0]!, [down], neighbours);
  if (first?.source.params.composite.name !== "swiglu" || !isInt8(down)) return undefined;
  const { prologue, source } = first;
  const [gate, up] = source.inputs.map((each) => int8ProductFor(each, source, neighbours));
  if (gate === undefined || up === undefined || gate.inputs[0] !== up.inputs[0]) return undefined;
  const operands = [...gate.inputs, ...up.inputs.slice(2)].map(valueOf);
  const weights = down.inputs.slice(1).map((part) => weightOf(part, context));
  const attributes = { ...gate.params.attributes, hadamard: prologue === PROLOGUE_OF.hadamard ? 1 : 0 };
  const [y, ...primals] = bindComposite(
    INT8_FEED_FORWARD,
    [...operands, ...weights, ...(addend === undefined ? [] : [addend])],
    attributes,
  );
  for (const [index, { id }] of source.inputs.entries()) kept.set(id, primals[index]!);
  return [y!];
}

const isInt8 = ({ params }: CompositeEquation): boolean =>
  params.composite.name === "int8BlockLinear" && params.attributes.bytes === 1;

/** The int8 product that nobody reads but `activation` and gradients of swiglu that take it in bfloat16. */
function int8ProductFor(
  variable: Var,
  activation: Equation,
  neighbours: Neighbours,
): CompositeEquation | undefined {
  const producer = neighbours.producerOf(variable);
  if (!isComposite(producer, ["int8Linear"]) || producer.inputs.length !== ADDING.int8Linear)
    return undefined;
  const isFor = (reader: Equation | "output") =>
    reader === activation ||
    (reader !== "output" &&
      isComposite(reader, ["swigluGrad"]) &&
      reader.inputs[0] !== variable &&
      reader.outputs.every((output) => onlyQuantization(output, neighbours) !== undefined));
  return neighbours.readersOf(variable).every(isFor) ? producer : undefined;
}

/** A product in blocks with a frozen weight that is not about to be added to something. */
function isJoinable(equation: Equation | "output", neighbours: Neighbours): equation is CompositeEquation {
  if (equation === "output" || !isComposite(equation, Object.keys(BLOCK_LINEARS))) return false;
  if (equation.inputs.length !== ADDING[equation.params.composite.name]) return false;
  const isFrozen = equation.inputs
    .slice(1)
    .every((part) => neighbours.producerOf(part)?.primitive === "weight");
  const readers = neighbours.readersOf(equation.outputs[0]!);
  return isFrozen && readers.every((reader) => reader === "output" || reader.primitive !== "add");
}

/** Whether two products in blocks round their rows alike, for weights of one format. */
const areAlike = ({ params: a }: CompositeEquation, { params: b }: CompositeEquation): boolean =>
  a.composite.name === b.composite.name && a.attributes.bytes === b.attributes.bytes;

/** Products of the same rows → up to three in one operator, where the first of them was. */
const joinProducts: Rule = (equation, context) => {
  const { neighbours, ready } = context;
  if (!isJoinable(equation, neighbours)) return undefined;
  const all = neighbours
    .readersOf(equation.inputs[0]!)
    .filter((reader) => isJoinable(reader, neighbours))
    .filter((each) => areAlike(each, equation));
  const at = all.indexOf(equation);
  const joined = all.slice(at, at + MOST_WEIGHTS);
  const results = multiplyInBlocks(joined, context);
  for (const [index, each] of joined.entries()) ready.set(each.outputs[0]!.id, [results[index]!]);
  return [results[0]!];
};

/** Whether an equation quantises rows as they are. */
const isPlainQuantization = (equation: Equation | "output"): equation is CompositeEquation =>
  equation !== "output" && isComposite(equation, ["quantizeRows"]) && equation.inputs.length === 1;

/** rmsNorm whose result is quantised, among others → both in one pass. */
const normaliseAndQuantise: Rule = (equation, { neighbours, ready, valueOf }) => {
  if (!isComposite(equation, ["rmsNorm"])) return undefined;
  const quantization = neighbours.readersOf(equation.outputs[0]!).find(isPlainQuantization);
  if (quantization === undefined) return undefined;
  const { attributes } = equation.params;
  const [y, inverse, q, scale] = bindComposite(RMS_NORM_QUANTIZE, equation.inputs.map(valueOf), attributes);
  ready.set(quantization.outputs[0]!.id, [q!, scale!]);
  return [y!, inverse!];
};

/** swiglu, perhaps a Hadamard transform, and quantisation, each for the next alone → one pass. */
const activateAndQuantise: Rule = (equation, { neighbours, valueOf }) => {
  if (!isPlainQuantization(equation)) return undefined;
  const x = equation.inputs[0]!;
  const hadamard = neighbours.onlyFor(x, ["hadamard"]);
  const activation = neighbours.onlyFor(hadamard?.inputs[0] ?? x, ["swiglu"]);
  if (activation === undefined) return undefined;
  const attributes = { hadamard: hadamard === undefined ? 0 : 1 };
  return bindComposite(SWIGLU_QUANTIZE, activation.inputs.map(valueOf), attributes);
};

/** The only reader of a value, when that quantises its rows after multiplying the columns. */
function onlyQuantization(variable: Var, neighbours: Neighbours): CompositeEquation | undefined {
  const [reader, ...others] = neighbours.readersOf(variable);
  if (reader === undefined || reader === "output" || others.length > 0) return undefined;
  return isComposite(reader, ["quantizeRows"]) && reader.inputs.length === 2 ? reader : undefined;
}

/** The gradient of swiglu, perhaps of a transformed cotangent, whose results are only quantised → one pass. */
const differentiateAndQuantise: Rule = (equation, { neighbours, ready, kept, valueOf }) => {
  if (!isComposite(equation, ["swigluGrad"])) return undefined;
  const quantizations = equation.outputs.map((output) => onlyQuantization(output, neighbours));
  const scales = quantizations.map((each) => each && valueOf(each.inputs[1]!));
  if (scales.some((scale) => scale === undefined)) return undefined;
  const [g, ...rest] = equation.inputs as readonly [Var, Var, Var];
  const transform = neighbours.onlyFor(g, ["hadamard"]);
  const primals = rest.map((primal) => kept.get(primal.id) ?? valueOf(primal));
  const operands = [valueOf(transform?.inputs[0] ?? g), ...primals];
  const attributes = { hadamard: transform === undefined ? 0 : 1 };
  const results = bindComposite(SWIGLU_GRAD_QUANTIZE, [...operands, ...(scales as Tracer[])], attributes);
  for (const [index, each] of quantizations.entries())
    ready.set(each!.outputs[0]!.id, results.slice(2 * index, 2 * index + 2));
  return NEVER_READ;
};

/** Stands for outputs whose only readers have been replaced. */
const NEVER_READ: readonly Tracer[] = [];

/** A Hadamard transform for the gradient of swiglu alone → in the same pass. */
const transformAndDifferentiate: Rule = (equation, { neighbours, valueOf }) => {
  if (!isComposite(equation, ["swigluGrad"])) return undefined;
  const [g, ...rest] = equation.inputs as readonly [Var, Var, Var];
  const transform = neighbours.onlyFor(g, ["hadamard"]);
  if (transform === undefined) return undefined;
  return bindComposite(HADAMARD_SWIGLU_GRAD, [transform.inputs[0]!, ...rest].map(valueOf));
};

/** What an earlier rule made. */
const takeReady: Rule = (equation, { ready }) => ready.get(equation.outputs[0]?.id ?? -1);

const RULES: readonly Rule[] = [
  takeReady,
  normaliseAndQuantise,
  activateAndQuantise,
  joinProducts,
  differentiateAndQuantise,
  transformAndDifferentiate,
  addToProduct,
];

/** The program with its fusible neighbours joined; worth it only where native kernels run. */
export const fuse = (program: Program): Program => rewriteProgram(program, fusionsOf(program));

/** How `fuse` rewrites the program. */
export function fusionsOf(program: Program): Replace {
  const neighbours = new Neighbours(program);
  const ready = new Map<number, readonly Tracer[]>();
  const kept = new Map<number, Tracer>();
  return (equation, valueOf) => {
    const context = { neighbours, ready, kept, valueOf };
    for (const rule of RULES) {
      const results = rule(equation, context);
      if (results !== undefined) return results;
    }
    return undefined;
  };
}
