// The ONNX bytes of `y = Identity(x)` for one dtype and any shape: the program that moves values between devices.
import protobuf from "protobufjs/minimal.js";
import { DTYPES, type DType } from "../dtype.ts";

/** Name of the model's one input. */
export const IDENTITY_INPUT = "x";
/** Name of the model's one output. */
export const IDENTITY_OUTPUT = "y";

const IR_VERSION = 10;
const OPSET = 21;

/** @see onnx/onnx.proto for the field numbers */
export function identityModel(dtype: DType): Uint8Array {
  const writer = protobuf.Writer.create();
  message(writer, 7, (graph) => {
    message(graph, 1, (node) => {
      string(node, 1, IDENTITY_INPUT);
      string(node, 2, IDENTITY_OUTPUT);
      string(node, 4, "Identity");
    });
    string(graph, 2, "identity");
    valueInfo(graph, 11, IDENTITY_INPUT, dtype);
    valueInfo(graph, 12, IDENTITY_OUTPUT, dtype);
  });
  message(writer, 8, (opset) => opset.uint32(varintTag(2)).uint32(OPSET));
  return writer.uint32(varintTag(1)).uint32(IR_VERSION).finish();
}

function valueInfo(writer: protobuf.Writer, field: number, name: string, dtype: DType): void {
  message(writer, field, (info) => {
    string(info, 1, name);
    message(info, 2, (type) =>
      message(type, 1, (tensor) => tensor.uint32(varintTag(1)).uint32(DTYPES[dtype].onnxType)),
    );
  });
}

function message(writer: protobuf.Writer, field: number, write: (writer: protobuf.Writer) => unknown): void {
  write(writer.uint32(lengthTag(field)).fork());
  writer.ldelim();
}

function string(writer: protobuf.Writer, field: number, value: string): void {
  writer.uint32(lengthTag(field)).string(value);
}

const varintTag = (field: number) => field << 3;
const lengthTag = (field: number) => (field << 3) | 2;
