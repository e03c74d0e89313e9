import type { PrecisionByPath, StoredWeight } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { llamaParameterShapes } from "./config.ts";
import { TOY } from "./fixtures/toy-model.ts";
import { precisionChoice } from "./precision.ts";

/** A source in which the parameters of these names are stored in blocks of 4 bits. */
function stored(inBlocks: RegExp) {
  const read = () => Promise.reject(new Error("read"));
  const get = (path: string): StoredWeight => ({
    dtype: "float32",
    shape: llamaParameterShapes(TOY).get(path)!,
    read,
    ...(inBlocks.test(path) && { blocks: { format: "q4_1", read } }),
  });
  return { get };
}

const in4Bits = (inBlocks: RegExp) => {
  const choice = precisionChoice(TOY, stored(inBlocks), { precision: "int4", device: "cpu" });
  return (path: string) => (choice as PrecisionByPath)(path, "linear");
};
const LAYER = "model.layers.0.";

describe("precisionChoice() of int4", () => {
  it.each([/_proj/, /nothing/])("rounds activations less where it shows, blocks stored: %s", (inBlocks) => {
    const precisionOf = in4Bits(inBlocks);
    for (const name of ["self_attn.q_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"])
      expect(precisionOf(`${LAYER}${name}.weight`), name).toBe("int4BlockwiseFine");
    for (const name of ["self_attn.o_proj", "mlp.down_proj"])
      expect(precisionOf(`${LAYER}${name}.weight`), name).toBe("int4Blockwise");
    expect(precisionOf("model.embed_tokens.weight")).toBe("int8BlockwiseFine");
  });

  it("holds in 8 bits what a checkpoint with blocks stores otherwise", () => {
    expect(in4Bits(/q_proj/)(`${LAYER}mlp.down_proj.weight`)).toBe("int8BlockwiseFine");
  });

  it("leaves what is no parameter in float32", () => {
    expect(in4Bits(/_proj/)("adapters.a")).toBe("float32");
  });
});
