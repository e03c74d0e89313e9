// Merged weights and what they compute, held to PEFT's merge_and_unload().
import { llamaLogits } from "@flacuna/model";
import { dim, spec, type Tensor, trace, weight, weightsFrom } from "@flacuna/tensor";
import { relativeError } from "@flacuna/tensor/testing";
import { describe, expect, it } from "vitest";
import { mismatches, runOnce, TOLERANCE } from "./closeness.ts";
import { mergeToy, TOYS, withoutPadding } from "./toy-models.ts";

describe("createMerger()", () => {
  it.each(TOYS)("gives $name the reference's merged weights", async (toy) => {
    const merged = await mergeToy(toy);
    const first = Object.entries(merged).filter(([path]) => /\.layers\.0\..*(q|v)_proj/.test(path));
    expect(first).toHaveLength(2);
    expect(mismatches(Object.fromEntries(first), (path) => toy.value(`merged.weight.${path}`))).toEqual({});
  });

  it.each(TOYS)("makes weights with which $name has the reference's logits", async (toy) => {
    const merged = await mergeToy(toy);
    const program = trace(
      (inputIds) => {
        const parameter = (path: string) => weight(path, { dtype: "float32", shape: merged[path]!.shape });
        return llamaLogits(toy.config, parameter, { inputIds });
      },
      [spec("int64", [dim("B"), dim("T")])],
    );
    const source = weightsFrom(new Map(Object.entries(merged)));
    const logits = (await runOnce(program, [toy.value("batch.input_ids")], source)) as Tensor;
    const error = relativeError(withoutPadding(toy, logits), toy.value("merged.logits"));
    expect(error).toBeLessThanOrEqual(TOLERANCE);
  });
});
