// A program as an ONNX model. Weights are declared and stay outside of the bytes.
import { DTYPES } from "../dtype.ts";
import type { NamedVar, Program, Var } from "../program.ts";
import { lowerEquation } from "../rules/onnx.ts";
import { KERNEL_DOMAIN } from "../runtime/session.ts";
import { Lowering } from "./lowering.ts";
import {
  encodeModel,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "./schema.ts";

/** A named constant that a graph reads from outside. */
export interface WeightReference {
  readonly path: string;
  readonly variable: Var;
}

/** A lowered program. */
export interface OnnxGraph {
  readonly bytes: Uint8Array;
  /** ONNX names of inputs and outputs, in the program's order */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly weights: readonly WeightReference[];
  /** with kernels, paths of those that only they and look-ups read: no rewrite of the graph computes with their contents */
  readonly opaqueWeights: ReadonlySet<string>;
  /** for inspection and tests */
  readonly nodes: readonly NodeProto[];
  readonly constants: readonly TensorProto[];
}

/** Where weights are declared to lie, so that the runtime accepts values for them; see `runtime/session.ts`. */
export type DeclareWeight = (
  path: string,
  variable: Var,
  options: { readonly isOpaque: boolean },
) => TensorProto;

const OPSETS = [
  { domain: "", version: 21 },
  { domain: "com.microsoft", version: 1 },
];
const KERNEL_OPSET = { domain: KERNEL_DOMAIN, version: 1 };

/** The program's ONNX model. */
export function lower(
  program: Program,
  declareWeight: DeclareWeight,
  options: { readonly hasNativeKernels?: boolean } = {},
): OnnxGraph {
  const lowering = new Lowering(
    program.inputs.map(({ variable }) => variable),
    options,
  );
  const inputNames = program.inputs.map(({ path, variable }) => lowering.setName(variable, `in:${path}`));
  const named = weightsOf(program);
  for (const { path, variable } of named) lowering.setWeight(variable, path);
  const outputNames = program.outputs.map(({ path }) => `out:${path}`);
  const produced = new Set(
    program.equations.filter(({ primitive }) => primitive !== "weight").flatMap(({ outputs }) => outputs),
  );
  const copies = program.outputs.filter(({ variable }, index) => {
    if (!produced.delete(variable)) return true;
    lowering.setName(variable, outputNames[index]!);
    return false;
  });
  for (const equation of program.equations)
    if (equation.primitive !== "weight") lowerEquation(lowering, equation);
  for (const { path, variable } of copies) lowering.emit("Identity", [variable], [`out:${path}`]);
  const nodes = removeUnread(lowering.nodes, outputNames);
  const read = new Set(nodes.flatMap(({ input }) => input));
  const weights = named.filter(({ path }) => read.has(path));
  const opaqueWeights = new Set(weights.map(({ path }) => path));
  for (const name of foldable(nodes, lowering)) opaqueWeights.delete(name);
  const model: ModelProto = {
    irVersion: 10,
    producerName: "flacuna",
    opsetImport: options.hasNativeKernels === true ? [...OPSETS, KERNEL_OPSET] : OPSETS,
    graph: {
      name: "program",
      node: nodes,
      initializer: [
        ...lowering.constants,
        ...weights.map(({ path, variable }) =>
          declareWeight(path, variable, { isOpaque: opaqueWeights.has(path) }),
        ),
      ],
      input: program.inputs.map(({ variable }, index) => valueInfo(inputNames[index]!, variable)),
      output: program.outputs.map(({ variable }: NamedVar, index) =>
        valueInfo(outputNames[index]!, variable),
      ),
    },
  };
  const { constants } = lowering;
  return { bytes: encodeModel(model), inputNames, outputNames, weights, opaqueWeights, nodes, constants };
}

/** Without the nodes that nobody reads: a composite's definition computes all its outputs, used or not. */
function removeUnread(nodes: readonly NodeProto[], outputNames: readonly string[]): NodeProto[] {
  const read = new Set(outputNames);
  const kept = nodes.toReversed().filter(({ input, output }) => {
    const isRead = output.some((name) => read.has(name));
    if (isRead) for (const name of input) read.add(name);
    return isRead;
  });
  return kept.reverse();
}

/** Names that the runtime's own operators read; with kernels, but for tables that rows are looked up in as a run asks. */
function foldable(nodes: readonly NodeProto[], { constants, hasNativeKernels }: Lowering): readonly string[] {
  const constantNames = new Set(constants.map(({ name }) => name));
  const own = nodes.filter(({ domain }) => domain !== KERNEL_DOMAIN);
  return own.flatMap(({ opType, input }) =>
    hasNativeKernels && opType === "Gather" && !constantNames.has(input[1]!) ? input.slice(1) : input,
  );
}

/** Every named constant the program mentions. */
function weightsOf(program: Program): WeightReference[] {
  return program.equations.flatMap((equation) =>
    equation.primitive === "weight" ? [{ path: equation.params.path, variable: equation.outputs[0]! }] : [],
  );
}

function valueInfo(name: string, { dtype, shape }: Var): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size.text }));
  return { name, type: { tensorType: { elemType: DTYPES[dtype].onnxType, shape: { dim } } } };
}
