// The ONNX messages this package writes, with their field numbers in onnx.proto3 (ONNX IR specification, version 10).
import protobuf from "protobufjs/light.js";
import { DTYPES } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";

/** NodeProto: one operator of the graph. */
export interface NodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly attribute: readonly AttributeProto[];
}

/** AttributeProto; `type` is FLOAT 1, INT 2, STRING 3 or INTS 7. */
export interface AttributeProto {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly ints?: readonly number[];
}

/** TensorProto: a constant, inline or in an external file. */
export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData?: Uint8Array;
  readonly externalData?: readonly { readonly key: string; readonly value: string }[];
  /** 1 for external data */
  readonly dataLocation?: number;
}

/** ValueInfoProto of a tensor; dimensions are sizes or names. */
export interface ValueInfoProto {
  readonly name: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape: {
        readonly dim: readonly ({ readonly dimValue: number } | { readonly dimParam: string })[];
      };
    };
  };
}

/** ModelProto, as far as it is written here. */
export interface ModelProto {
  readonly irVersion: number;
  readonly producerName: string;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly graph: {
    readonly name: string;
    readonly node: readonly NodeProto[];
    readonly initializer: readonly TensorProto[];
    readonly input: readonly ValueInfoProto[];
    readonly output: readonly ValueInfoProto[];
  };
}

const field = (id: number, type: string) => ({ id, type });
const repeated = (id: number, type: string) => ({ id, type, rule: "repeated" });

const ROOT = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: field(1, "int64"),
        producerName: field(2, "string"),
        graph: field(7, "GraphProto"),
        opsetImport: repeated(8, "OperatorSetIdProto"),
      },
    },
    OperatorSetIdProto: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    GraphProto: {
      fields: {
        node: repeated(1, "NodeProto"),
        name: field(2, "string"),
        initializer: repeated(5, "TensorProto"),
        input: repeated(11, "ValueInfoProto"),
        output: repeated(12, "ValueInfoProto"),
      },
    },
    NodeProto: {
      fields: {
        input: repeated(1, "string"),
        output: repeated(2, "string"),
        name: field(3, "string"),
        opType: field(4, "string"),
        attribute: repeated(5, "AttributeProto"),
        domain: field(7, "string"),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, "string"),
        f: field(2, "float"),
        i: field(3, "int64"),
        s: field(4, "bytes"),
        ints: repeated(8, "int64"),
        type: field(20, "int32"),
      },
    },
    TensorProto: {
      fields: {
        dims: repeated(1, "int64"),
        dataType: field(2, "int32"),
        name: field(8, "string"),
        rawData: field(9, "bytes"),
        externalData: repeated(13, "StringStringEntryProto"),
        dataLocation: field(14, "int32"),
      },
    },
    StringStringEntryProto: { fields: { key: field(1, "string"), value: field(2, "string") } },
    ValueInfoProto: { fields: { name: field(1, "string"), type: field(2, "TypeProto") } },
    TypeProto: { fields: { tensorType: field(1, "TypeProtoTensor") } },
    TypeProtoTensor: { fields: { elemType: field(1, "int32"), shape: field(2, "TensorShapeProto") } },
    TensorShapeProto: { fields: { dim: repeated(1, "Dimension") } },
    Dimension: { fields: { dimValue: field(1, "int64"), dimParam: field(2, "string") } },
  },
});

/** The model's bytes. */
export function encodeModel(model: ModelProto): Uint8Array {
  return ROOT.lookupType("ModelProto").encode(model).finish();
}

/** An inline constant. */
export function tensorProto(name: string, tensor: Tensor): TensorProto {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return {
    name,
    dims: tensor.shape,
    dataType: DTYPES[tensor.dtype].onnxType,
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

/** An attribute from its value. */
export function attributeProto(
  name: string,
  value: number | readonly number[] | { readonly float: number } | string,
): AttributeProto {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: value };
}
