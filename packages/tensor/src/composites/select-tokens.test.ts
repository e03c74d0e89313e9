import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { interpret, runCompiled } from "../fixtures/lowerings.ts";
import { kernelStatus } from "../runtime/kernels.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { spec, trace } from "../trace.ts";
import { selectTokens } from "./select-tokens.ts";

const V = 40;
const R = dim("R");

const program = (top: number) =>
  trace(
    (logits, options) => selectTokens(logits, { ...options, top }),
    [
      spec("float32", [R, V]),
      {
        numbers: spec("float32", [R, 8]),
        integers: spec("int32", [R, 4]),
        seen: spec("int32", [dim("M"), 2]),
        counts: spec("float32", [dim("M"), 2]),
        masks: spec("int32", [dim("Q"), 2]),
      },
    ],
  );

/** Arguments that ask for the likeliest token of each row. */
const greedy = (rows: readonly (readonly number[])[]) => [
  Tensor.fromArray("float32", [rows.length, V], rows.flat()),
  Tensor.fromArray(
    "float32",
    [rows.length, 8],
    rows.flatMap(() => [0, 1, 0, 0.5, 1, 0, 0, 0]),
  ),
  Tensor.fromArray(
    "int32",
    [rows.length, 4],
    rows.flatMap(() => [0, -1, -1, 0]),
  ),
  Tensor.zeros("int32", [0, 2]),
  Tensor.zeros("float32", [0, 2]),
  Tensor.zeros("int32", [0, 2]),
];

const rowOf = (at: number, value: number) => Array.from({ length: V }, (_, id) => (id === at ? value : -id));

describe("selectTokens()", () => {
  it("gives −1 and NaN for a row that is not finite, and the others what is theirs", async () => {
    const args = greedy([rowOf(7, 5), rowOf(7, Number.NaN), rowOf(39, Number.POSITIVE_INFINITY)]);
    const expected = await interpret(program(1), args);
    const actual = await runCompiled(program(1), args, { kernels: true });
    expect(expected.map((each) => each.toNumbers())).toEqual([
      [7, -1, -1],
      [expect.closeTo(0, 1), Number.NaN, Number.NaN],
      [1, 0, 0],
      [7, -1, -1],
      [expect.closeTo(0, 1), Number.NaN, Number.NaN],
    ]);
    for (const [index, each] of actual.entries()) {
      const rounded = (tensor: Tensor) => tensor.toNumbers().map((x) => x.toFixed(4));
      expect(rounded(each)).toEqual(rounded(expected[index]!));
    }
  });

  it("needs no alternatives, no rows, and nothing seen", async () => {
    expect((await runCompiled(program(0), greedy([]), { kernels: true })).map(({ shape }) => shape)).toEqual([
      [0],
      [0],
      [0],
      [0, 0],
      [0, 0],
    ]);
  });

  it("is one operator where there are kernels", async ({ skip }) => {
    if ((await kernelStatus()).path === undefined) return skip("no kernels here");
    const executable = await compile(program(3));
    expect(executable.explain()).toEqual([
      { operator: "flacuna.SelectTokens", count: 1, computedBy: "native" },
    ]);
    await executable.dispose();
  });

  it("refuses more alternatives than tokens, and an unknown vocabulary", () => {
    expect(() => program(V + 1)).toThrow(expect.objectContaining({ code: "TENSOR_INVALID_ARGUMENT" }));
    const unknown = spec("float32", [R, dim("V")]);
    const traced = () =>
      trace(
        (logits) =>
          selectTokens(logits, {
            numbers: logits,
            integers: logits,
            seen: logits,
            counts: logits,
            masks: logits,
            top: 0,
          }),
        [unknown],
      );
    expect(traced).toThrow(expect.objectContaining({ code: "TENSOR_INVALID_ARGUMENT" }));
  });
});
