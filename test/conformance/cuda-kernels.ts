// Which operators of a lowered program have no kernel on CUDA, by the runtime's published table. Runs nothing.
import { readFileSync } from "node:fs";
import { DTYPES, type DType, dtypeFromOnnx, lower, type OnnxGraph, type Program } from "@flacuna/tensor";

/** One row of the table: types by name, parameters by the name of their type. */
interface Kernel {
  readonly operator: string;
  readonly domain: string;
  /** "13+" or "[21, 22]" */
  readonly opset: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly types: Readonly<Record<string, readonly string[]>>;
}

type Node = OnnxGraph["nodes"][number];

const OPSETS: Readonly<Record<string, number>> = { "": 21, "com.microsoft": 1 };

const path = new URL("../fixtures/cuda-kernels.json", import.meta.url);
const { kernels } = JSON.parse(readFileSync(path, "utf8")) as { readonly kernels: readonly Kernel[] };
const KERNELS = new Map(kernels.map((kernel) => [`${kernel.domain}.${kernel.operator}`, kernel]));

/** The rows of the table that do not hold the opset this package writes. */
export const OUTSIDE_OPSET = kernels.filter(({ opset, domain }) => {
  const [first, last = Number.POSITIVE_INFINITY] = (opset.match(/\d+/g) ?? []).map(Number);
  return !(first! <= OPSETS[domain]! && OPSETS[domain]! <= last);
});

/** An element type by the table's name. */
const nameOf = (dtype: DType): string => ({ float32: "float", float64: "double" })[dtype as string] ?? dtype;

const nameOfNumber = (onnxType: number): string => nameOf(dtypeFromOnnx(onnxType)!);

const parameterAt = (parameters: readonly string[], index: number): string | undefined => {
  const last = parameters.at(-1);
  return last?.endsWith("...") && index >= parameters.length - 1 ? last.slice(0, -3) : parameters[index];
};

/** Every (operator, types) of a program that CUDA cannot compute, and every output whose type is not the program's. */
export function findGaps(program: Program): string[] {
  const graph = lower(program, (name, { dtype, shape }) => ({
    name,
    dims: shape as readonly number[],
    dataType: DTYPES[dtype].onnxType,
  }));
  const types = new Map<string, string>([
    ...graph.inputNames.map((name, index) => [name, nameOf(program.inputs[index]!.variable.dtype)] as const),
    ...graph.weights.map(({ path: name, variable }) => [name, nameOf(variable.dtype)] as const),
    ...graph.constants.map(({ name, dataType }) => [name, nameOfNumber(dataType)] as const),
  ]);
  const gaps = graph.nodes.flatMap((node) => checkNode(node, types));
  for (const [index, name] of graph.outputNames.entries()) {
    const [got, expected] = [types.get(name), nameOf(program.outputs[index]!.variable.dtype)];
    if (got !== expected) gaps.push(`output ${name}: ${got} for ${expected}`);
  }
  return [...new Set(gaps)];
}

/** The types a kernel takes for a parameter; undefined where the table names none, so that ONNX alone decides. */
const acceptedBy = ({ types }: Kernel, parameter: string): readonly string[] | undefined =>
  parameter.startsWith("tensor(") ? [parameter.slice(7, -1)] : types[parameter];

/** Binds a node's types as the kernel names them, and adds its outputs' to `types`. */
function checkNode({ opType, domain, input, output, attribute }: Node, types: Map<string, string>): string[] {
  const kernel = KERNELS.get(`${domain}.${opType}`);
  if (kernel === undefined) throw new Error(`${domain}.${opType} is not in cuda-kernels.json: add its row`);
  const bound = new Map<string, string>();
  const gaps: string[] = [];
  const bind = (parameter: string | undefined, type: string | undefined, where: string): void => {
    if (parameter === undefined || type === undefined)
      throw new Error(`${opType}: cannot tell the type of ${where}`);
    const accepted = acceptedBy(kernel, parameter);
    const isConsistent = (bound.get(parameter) ?? type) === type;
    if (accepted?.includes(type) === false || !isConsistent) gaps.push(`${opType} ${parameter}=${type}`);
    bound.set(parameter, type);
  };
  for (const [index, name] of input.entries()) {
    if (name !== "") bind(parameterAt(kernel.inputs, index), types.get(name), `input ${index}`);
  }
  // A type that no input has is an attribute's: Cast's `to`, the normalisation's `stash_type`.
  const chosen = attribute.find(({ name }) => name === "to" || name === "stash_type")?.i;
  for (const [index, name] of output.entries()) {
    const parameter = parameterAt(kernel.outputs, index)!;
    const [only, second] = acceptedBy(kernel, parameter)!;
    const free = chosen === undefined ? (second === undefined ? only : undefined) : nameOfNumber(chosen);
    const type = bound.get(parameter) ?? free;
    bind(parameter, type, `output ${index}`);
    types.set(name, type!);
  }
  return gaps;
}
