// Tiny ONNX models for the tests of `runtime/`, written field by field so that these do not lean on the lowering.
import protobuf from "protobufjs/light.js";
import { DTYPES, type DType } from "../../dtype.ts";
import type { InitializerDeclaration } from "../initializers.ts";

/** A declared input or output. */
export interface FixturePort {
  readonly name: string;
  readonly dtype?: DType;
  /** Raw ONNX element type, for types this package has no dtype for. */
  readonly onnxType?: number;
  readonly shape?: readonly (number | string)[];
}

/** An operator. */
export interface FixtureNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Integer attributes only. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

/** A model to encode. */
export interface FixtureModel {
  readonly inputs: readonly FixturePort[];
  readonly outputs: readonly FixturePort[];
  readonly nodes: readonly FixtureNode[];
  readonly initializers?: readonly InitializerDeclaration[];
}

const field = (id: number, type: string) => ({ id, type });
const repeated = (id: number, type: string) => ({ id, type, rule: "repeated" });

const MODEL = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: { irVersion: field(1, "int64"), graph: field(7, "Graph"), opset: repeated(8, "Opset") },
    },
    Opset: { fields: { version: field(2, "int64") } },
    Graph: {
      fields: {
        node: repeated(1, "Node"),
        name: field(2, "string"),
        initializer: repeated(5, "Tensor"),
        input: repeated(11, "ValueInfo"),
        output: repeated(12, "ValueInfo"),
      },
    },
    Node: {
      fields: {
        input: repeated(1, "string"),
        output: repeated(2, "string"),
        opType: field(4, "string"),
        attribute: repeated(5, "Attribute"),
      },
    },
    Attribute: {
      fields: {
        name: field(1, "string"),
        i: field(3, "int64"),
        ints: repeated(8, "int64"),
        type: field(20, "int32"),
      },
    },
    Tensor: {
      fields: {
        dims: repeated(1, "int64"),
        dataType: field(2, "int32"),
        name: field(8, "string"),
        externalData: repeated(13, "Entry"),
        dataLocation: field(14, "int32"),
      },
    },
    Entry: { fields: { key: field(1, "string"), value: field(2, "string") } },
    ValueInfo: { fields: { name: field(1, "string"), type: field(2, "Type") } },
    Type: { fields: { tensor: field(1, "TensorType") } },
    TensorType: { fields: { elemType: field(1, "int32"), shape: field(2, "Shape") } },
    Shape: { fields: { dim: repeated(1, "Dim") } },
    Dim: { fields: { value: field(1, "int64"), name: field(2, "string") } },
  },
}).lookupType("Model");

/** The model's bytes. */
export function onnxModel({ inputs, outputs, nodes, initializers = [] }: FixtureModel): Uint8Array {
  return MODEL.encode(
    MODEL.fromObject({
      irVersion: 10,
      opset: [{ version: 21 }],
      graph: {
        name: "fixture",
        node: nodes.map(encodeNode),
        initializer: initializers,
        input: inputs.map(encodePort),
        output: outputs.map(encodePort),
      },
    }),
  ).finish();
}

function encodeNode({ op, inputs, outputs, attributes = {} }: FixtureNode): object {
  const attribute = Object.entries(attributes).map(([name, value]) =>
    typeof value === "number" ? { name, i: value, type: 2 } : { name, ints: value, type: 7 },
  );
  return { opType: op, input: inputs, output: outputs, attribute };
}

function encodePort({
  name,
  dtype = "float32",
  onnxType = DTYPES[dtype].onnxType,
  shape,
}: FixturePort): object {
  const dim = shape?.map((axis) => (typeof axis === "number" ? { value: axis } : { name: axis }));
  return { name, type: { tensor: { elemType: onnxType, ...(dim && { shape: { dim } }) } } };
}
