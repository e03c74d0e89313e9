// The parts of `pnpm bench train` that are pure: what goes into a micro-batch, what is taken from a profile.
import { describe, expect, it } from "vitest";
import { parseOptions } from "../../tools/bench/options.ts";
import { productWork } from "../../tools/bench/product-work.ts";
import { type ProfileEvent, sumByOperator } from "../../tools/bench/profile-step.ts";
import type { Batch, Row } from "../../tools/bench/protocol.ts";
import { batchesOf, fullRows, lengthGrouped, packed, tokenCount } from "../../tools/bench/rows.ts";
import { median, relativeDifferences } from "../../tools/bench/statistics.ts";

/** `length` tokens of value `id`, of which the last is labelled. */
const row = (id: number, length: number): Row => ({
  inputIds: new Array<number>(length).fill(id),
  labels: [...new Array<number>(length - 1).fill(-100), id],
});

describe("fullRows()", () => {
  it("cuts examples into rows of one length", () => {
    const rows = fullRows([row(1, 3), row(2, 5)], 4, 2);
    expect(rows.map(({ inputIds }) => inputIds)).toEqual([
      [1, 1, 1, 2],
      [2, 2, 2, 2],
    ]);
  });

  it("leaves out rows that have no loss", () => {
    const rows = fullRows([row(1, 4), row(2, 9), row(3, 3)], 4, 2);
    expect(rows.map(({ inputIds }) => inputIds)).toEqual([
      [1, 1, 1, 1],
      [2, 3, 3, 3],
    ]);
  });

  it("refuses to make more than there is", () => {
    expect(() => fullRows([row(1, 8)], 4, 3)).toThrow("3 rows of 4 tokens");
  });
});

describe("lengthGrouped()", () => {
  it("keeps every token, and pads with labels that do not count", () => {
    const rows = Array.from({ length: 40 }, (_, index) => row(index, 1 + ((index * 7) % 40)));
    const batches = lengthGrouped(rows, 2, 99);
    expect(tokenCount(batches)).toBe(tokenCount(batchesOf(rows, 2, 99)));
    for (const { inputIds, labels, lengths } of batches) {
      expect(inputIds.every((ids, b) => ids.slice(lengths[b]).every((id) => id === 99))).toBe(true);
      expect(labels.every((each, b) => each.slice(lengths[b]).every((label) => label === -100))).toBe(true);
    }
  });

  it("pads less than rows in any order do", () => {
    const rows = Array.from({ length: 40 }, (_, index) => row(index, 1 + ((index * 7) % 40)));
    const size = (batches: readonly Batch[]) => batches.flatMap(({ inputIds }) => inputIds.flat()).length;
    expect(size(lengthGrouped(rows, 2, 99))).toBeLessThan(0.9 * size(batchesOf(rows, 2, 99)));
  });
});

describe("packed()", () => {
  it("tells the examples of a row apart and keeps every token", () => {
    const batches = packed([row(1, 6), row(2, 2), row(3, 5)], 8, 9);
    expect(tokenCount(batches)).toBe(13);
    const full = batches.find(({ lengths }) => lengths[0] === 8)!;
    expect(full.inputIds[0]).toEqual([1, 1, 1, 1, 1, 1, 2, 2]);
    expect(full.starts![0]).toEqual([0, 0, 0, 0, 0, 0, 6, 6]);
  });
});

describe("sumByOperator()", () => {
  const event = (name: string, ts: number, dur: number): ProfileEvent => ({
    cat: "Node",
    name: `${name}_kernel_time`,
    ts,
    dur,
    args: {
      op_name: "MatMul",
      input_type_shape: [{ float: [2, 3, 4] }, { float: [4, 5] }],
      output_type_shape: [{ float: [2, 3, 5] }],
    },
  });

  it("leaves each node's first run out and gives costs of one run", () => {
    const runs = [event("a", 0, 900), event("b", 1, 800), event("a", 2, 10), event("b", 3, 20)];
    const [product] = sumByOperator([...runs, event("a", 4, 30), event("b", 5, 40)]);
    expect(product).toMatchObject({ operator: "MatMul", count: 2, seconds: expect.closeTo(50e-6, 9) });
    expect(product!.work).toEqual({ type: "float32", operations: expect.closeTo(2 * (2 * 6 * 4 * 5)) });
    expect(product!.bytes).toBe(2 * 4 * (24 + 20 + 30));
  });
});

describe("productWork()", () => {
  const float = (...shape: number[]) => ({ float: shape });

  it("counts products of packed weights by the width of their rows", () => {
    const inputs = [{ uint8: [2, 8, 32] }, float(2, 8), { int8: [9999] }];
    expect(productWork("Int8Linear", inputs, [float(2, 8, 48)])).toEqual({
      type: "int8",
      operations: 2 * (2 * 8) * 32 * 48,
    });
  });

  it("counts batches of products with a transposed factor", () => {
    const work = productWork("FusedMatMul", [float(3, 4, 5), float(3, 7, 5)], [float(3, 4, 7)]);
    expect(work).toEqual({ type: "float32", operations: expect.closeTo(2 * 3 * 4 * 5 * 7) });
  });

  it("leaves out what is no product", () => {
    expect(productWork("Add", [float(2), float(2)], [float(2)])).toBeUndefined();
  });
});

describe("parseOptions()", () => {
  it("fills micro-batches to about 1,024 tokens, or as told", () => {
    const { shapes } = parseOptions(["--lengths", "512,1280,8x512"], {});
    expect(shapes).toEqual([
      { length: 512, batchSize: 2 },
      { length: 1280, batchSize: 1 },
      { length: 512, batchSize: 8 },
    ]);
  });

  it("names the parts that there are", () => {
    expect(() => parseOptions(["--only", "sped"], {})).toThrow("speed");
  });
});

describe("statistics", () => {
  it("has a median and distances in proportion", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(relativeDifferences([1.1, 2], [1, 4])).toEqual([expect.closeTo(0.1), 0.5]);
  });
});
