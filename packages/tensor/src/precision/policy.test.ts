import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { gather, matmul, weight } from "../ops.ts";
import { kernelStatus } from "../runtime/kernels.ts";
import type { Value } from "../runtime/value.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor } from "../testing.ts";
import { spec, trace } from "../trace.ts";
import { type WeightSource, weightsFrom } from "../weights.ts";
import { quantizeInt8 } from "./int8.ts";
import { type Precision, partPath } from "./parts.ts";
import { applyPrecision } from "./policy.ts";

const N = dim("N");
const table = () => weight("table", { dtype: "float32", shape: [70, 64] });
/** Rows looked up, through the table as a head. */
const program = trace(
  (ids) => {
    const rows = gather(table(), ids);
    return { rows, logits: matmul(rows, table(), { transposeB: true }) };
  },
  [spec("int64", [N])],
);
const values = randomTensor([70, 64], 3, "float32");
const ids = Tensor.fromArray("int64", [3], [2, 69, 2]);

async function run(weights: WeightSource, precision: Precision) {
  const executable = await compile(program, { weights, precision, threads: 1 });
  const { rows, logits } = (await executable.run([ids])) as { rows: Value; logits: Value };
  const results = { rows: await rows.toTensor(), logits: await logits.toTensor() };
  await executable.dispose();
  return results;
}

/** The source, which writes down what is read of it. */
function recording(source: WeightSource): { readonly weights: WeightSource; readonly read: string[] } {
  const read: string[] = [];
  const get: WeightSource["get"] = (path) => {
    const stored = source.get(path);
    const readAndNote = (): Promise<Tensor> => {
      read.push(path);
      return stored!.read();
    };
    return stored && { ...stored, read: readAndNote };
  };
  return { weights: { get }, read };
}

describe("applyPrecision()", () => {
  it.each(["int8", "int4", "bfloat16", "int16", "int4Blockwise"] as const)(
    "looks rows up in float16 where products are in %s",
    async (precision) => {
      const { rows } = await run(weightsFrom(new Map([["table", values]])), precision);
      const [expected, got] = [values.toNumbers(), rows.toNumbers()];
      [2, 69, 2].forEach((id, row) => {
        for (let column = 0; column < 64; column++) {
          const exact = expected[id * 64 + column]!;
          const bound = Math.abs(exact) * 2 ** -11 + 2 ** -25;
          expect(Math.abs(got[row * 64 + column]! - exact)).toBeLessThanOrEqual(bound);
        }
      });
    },
  );

  it("holds no weight in float32 beside its parts", async () => {
    const executable = await compile(program, {
      weights: weightsFrom(new Map([["table", values]])),
      precision: "int8",
      threads: 1,
    });
    const paths = executable.program.equations.flatMap((equation) =>
      equation.primitive === "weight" ? [equation.params.path] : [],
    );
    await executable.dispose();
    const parts = ["packed", "scales", "rowSums"].map((part) => partPath("table", "int8", part));
    expect(paths.toSorted()).toEqual([...parts, partPath("table", "float16", "rows")].toSorted());
  });

  it("holds in blocks of 8 bits what has no whole blocks of 4", () => {
    const narrow = trace(
      (x) => matmul(x, weight("narrow", { dtype: "float32", shape: [64, 48] }), { transposeB: true }),
      [spec("float32", [N, 48])],
    );
    const paths = applyPrecision(narrow, "int4Blockwise").equations.flatMap((equation) =>
      equation.primitive === "weight" ? [equation.params.path] : [],
    );
    expect(paths).toEqual([partPath("narrow", "int8", "packed"), partPath("narrow", "int8", "scales")]);
  });

  it("takes parts from a source that gives them, and reads nothing else", async () => {
    const { packed, scales, rowSums } = quantizeInt8(values.data as Float32Array, 70, 64);
    const given = recording(
      weightsFrom(
        new Map<string, Tensor>([
          [partPath("table", "int8", "packed"), new Tensor("int8", [8, 16, 16, 4], packed as never)],
          [partPath("table", "int8", "scales"), new Tensor("float32", [70], scales as never)],
          [partPath("table", "int8", "rowSums"), new Tensor("int32", [128], rowSums as never)],
          [partPath("table", "float16", "rows"), Tensor.fromArray("float16", [70, 64], values.toNumbers())],
        ]),
      ),
    );
    const converted = await run(weightsFrom(new Map([["table", values]])), "int8");
    expect(await run(given.weights, "int8")).toEqual(converted);
    // Sums are for the kernels alone.
    const { path } = await kernelStatus();
    expect(given.read.length).toBe(path === undefined ? 3 : 4);
  });
});
