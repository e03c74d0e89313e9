import {
  constant,
  dim,
  evaluate,
  type Pages,
  spec,
  Tensor,
  type TensorSpec,
  type Tracer,
  trace,
  weight,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { type LlamaConfig, llamaParameterShapes } from "./config.ts";
import { TOY, toyWeights } from "./fixtures/toy-model.ts";
import { type Linear, linear } from "./layers/linear.ts";
import { rotaryTable } from "./layers/rotary.ts";
import { type LlamaOptions, llamaHidden, llamaLogits, llamaPagedHidden, rotaryOptions } from "./llama.ts";

const [B, T] = [dim("B"), dim("T")];
const WEIGHTS = toyWeights(TOY);

function parameters(config: LlamaConfig) {
  const shapes = llamaParameterShapes(config);
  return (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
}

const ids = (rows: readonly (readonly number[])[]) =>
  Tensor.fromArray("int64", [rows.length, rows[0]!.length], rows.flat());

function logits(
  rows: readonly (readonly number[])[],
  config = TOY,
  { starts, ...options }: LlamaOptions & { readonly starts?: readonly number[] } = {},
): number[][][] {
  const packing = () => starts && constant(Tensor.fromArray("int32", [1, starts.length], starts));
  const program = trace(
    (inputIds) => llamaLogits(config, parameters(config), { inputIds, starts: packing() }, options),
    [spec("int64", starts ? [1, starts.length] : [B, T])],
  );
  const tensor = evaluate(program, [ids(rows)], config === TOY ? WEIGHTS : toyWeights(config)) as Tensor;
  const numbers = tensor.toNumbers();
  const V = config.vocabSize;
  return rows.map((row, b) =>
    row.map((_, t) => numbers.slice((b * row.length + t) * V, (b * row.length + t + 1) * V)),
  );
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 4);
}

describe("llamaLogits()", () => {
  it("does not see what comes later", () => {
    const [long] = logits([[1, 7, 8, 9, 10]]);
    const [short] = logits([[1, 7, 8]]);
    for (let t = 0; t < 3; t++) expectClose(long![t]!, short![t]!);
  });

  it("gives a batch what its rows get one by one", () => {
    const rows = [
      [1, 5, 6],
      [1, 9, 2],
    ];
    const batch = logits(rows);
    for (const [b, row] of rows.entries()) expectClose(batch[b]!.flat(), logits([row])[0]!.flat());
  });

  it("gives a packed sequence what it gets alone, whatever its neighbours", () => {
    const starts = [0, 0, 0, 3, 3, 3, 6, 6];
    const [packed] = logits([[1, 5, 6, 1, 9, 2, 1, 7]], TOY, { starts });
    const [others] = logits([[3, 3, 8, 1, 9, 2, 4, 4]], TOY, { starts });
    const [alone] = logits([[1, 9, 2]]);
    expectClose(packed!.slice(3, 6).flat(), alone!.flat());
    expect(others!.slice(3, 6)).toEqual(packed!.slice(3, 6));
  });

  it("depends on the order of the tokens", () => {
    const [a] = logits([[1, 5, 6, 7]]);
    const [b] = logits([[1, 6, 5, 7]]);
    expect(Math.max(...a![3]!.map((value, i) => Math.abs(value - b![3]![i]!)))).toBeGreaterThan(0.01);
  });

  it("reads the output head from the embeddings when they are tied", () => {
    const tied: LlamaConfig = { ...TOY, tieWordEmbeddings: true };
    expect(logits([[1, 2]], tied)[0]![0]).toHaveLength(50);
  });
});

describe("llamaHidden() of some positions", () => {
  const traced = (inputs: readonly TensorSpec[], options: LlamaOptions = {}) =>
    trace(
      (inputIds, reads?: Tracer) => llamaHidden(TOY, parameters(TOY), { inputIds, reads }, options),
      inputs,
    );
  const reads = [0, 4, 2, 3];
  const expected = () => {
    const all = evaluate(traced([spec("int64", [B, T])]), [ids(ROWS)], WEIGHTS) as Tensor;
    return reads.flatMap((at) => all.toNumbers().slice(at * 24, (at + 1) * 24));
  };
  const ROWS = [
    [1, 5, 6],
    [1, 9, 2],
  ];

  it.each([false, true])(
    "is those rows of all, in their order (layers recomputed: %s)",
    (checkpointLayers) => {
      const some = traced([spec("int64", [B, T]), spec("int64", [dim("R")])], { checkpointLayers });
      const places = Tensor.fromArray("int64", [reads.length], reads);
      expectClose((evaluate(some, [ids(ROWS), places], WEIGHTS) as Tensor).toNumbers(), expected());
    },
  );

  it("projects what comes after the last attention as told for reads", () => {
    const seen: string[] = [];
    const linearOfReads: Linear = (path, x, w) => {
      seen.push(path);
      return linear(path, x, w);
    };
    traced([spec("int64", [B, T]), spec("int64", [dim("R")])], { linearOfReads });
    const last = "model.layers.1.";
    expect(seen).toEqual(
      ["self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"].map(
        (name) => `${last}${name}.weight`,
      ),
    );
  });
});

describe("the linear seam", () => {
  it("passes every projection by its checkpoint name, and only those", () => {
    const seen: string[] = [];
    logits([[1, 2]], TOY, {
      linear: (path, x, w) => {
        seen.push(path);
        return linear(path, x, w);
      },
    });
    const matrices = [...llamaParameterShapes(TOY)]
      .filter(([, shape]) => shape.length === 2)
      .map(([path]) => path);
    expect(seen).toEqual(matrices.slice(1));
  });
});

describe("llamaPagedHidden()", () => {
  const PAGE = 16;
  const N = dim("N");
  const pool = { keys: [dim("G"), 2, 16, PAGE], values: [dim("G"), 2, PAGE, 16] };
  const inputs = {
    tokens: spec("int64", [N]),
    positions: spec("int32", [N]),
    sequence: spec("int32", [N]),
    pages: spec("int32", [dim("S"), dim("E")]),
    rotary: { cos: spec("float32", [dim("L"), 8]), sin: spec("float32", [dim("L"), 8]) },
    pool: [0, 1].map(() => ({ keys: spec("float32", pool.keys), values: spec("float32", pool.values) })),
  };
  const paged = trace((arg) => llamaPagedHidden(TOY, parameters(TOY), arg), [inputs]);
  const whole = trace((inputIds) => llamaHidden(TOY, parameters(TOY), { inputIds }), [spec("int64", [B, T])]);
  const rotary = rotaryTable(64, rotaryOptions(TOY));
  interface Result {
    readonly hidden: Tensor;
    readonly pool: readonly Pages<Tensor>[];
  }
  interface Part {
    readonly ids: readonly number[];
    readonly position: number;
    readonly pages: readonly number[];
  }
  const integers = (values: readonly number[]) => Tensor.fromArray("int32", [values.length], values);
  const run = (parts: readonly Part[], before: Result["pool"]) => {
    const arg = {
      tokens: Tensor.fromArray(
        "int64",
        [parts.reduce((sum, each) => sum + each.ids.length, 0)],
        parts.flatMap((each) => each.ids),
      ),
      positions: integers(parts.flatMap(({ ids: own, position }) => own.map((_, i) => position + i))),
      sequence: integers(parts.flatMap(({ ids: own }, row) => own.map(() => row))),
      pages: Tensor.fromArray(
        "int32",
        [parts.length, 2],
        parts.flatMap(({ pages }) => pages),
      ),
      rotary,
      pool: before,
    };
    return evaluate(paged, [arg], WEIGHTS) as Result;
  };
  const empty = (pages: number): Result["pool"] =>
    [0, 1].map(() => ({
      keys: Tensor.zeros("float32", [pages, 2, 16, PAGE]),
      values: Tensor.zeros("float32", [pages, 2, PAGE, 16]),
    }));
  const rowOf = (hidden: Tensor, index: number) => hidden.toNumbers().slice(index * 24, (index + 1) * 24);
  const expected = (row: readonly number[]) =>
    rowOf(evaluate(whole, [ids([row])], WEIGHTS) as Tensor, row.length - 1);

  it("equals recomputation, for prompts read in parts side by side and then for each new token", () => {
    const long = [1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21];
    const short = [1, 9];
    const [here, there] = [
      [3, 1],
      [2, 0],
    ] as const;
    const first = run([{ ids: long.slice(0, 11), position: 0, pages: here }], empty(4));
    const second = run(
      [
        { ids: short, position: 0, pages: there },
        { ids: long.slice(11), position: 11, pages: here },
      ],
      first.pool,
    );
    expectClose(rowOf(second.hidden, 1), expected(short));
    expectClose(rowOf(second.hidden, 8), expected(long));
    const third = run(
      [
        { ids: [22], position: long.length, pages: here },
        { ids: [23], position: short.length, pages: there },
      ],
      second.pool,
    );
    expectClose(rowOf(third.hidden, 0), expected([...long, 22]));
    expectClose(rowOf(third.hidden, 1), expected([...short, 23]));
  });

  it("names its outputs so that the pool can be written in place", () => {
    expect(paged.outputs.map(({ path }) => path)).toEqual([
      "hidden",
      "pool.0.keys",
      "pool.0.values",
      "pool.1.keys",
      "pool.1.values",
    ]);
  });
});
