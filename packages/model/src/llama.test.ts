import { constant, dim, evaluate, spec, Tensor, trace, weight } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { type LlamaConfig, llamaParameterShapes } from "./config.ts";
import { TOY, toyWeights } from "./fixtures/toy-model.ts";
import { linear } from "./layers/linear.ts";
import { rotaryTable } from "./layers/rotary.ts";
import {
  cacheShape,
  type LlamaOptions,
  llamaCachedHidden,
  llamaHidden,
  llamaLogits,
  rotaryOptions,
} from "./llama.ts";

const [B, T, S] = [dim("B"), dim("T"), dim("S")];
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

describe("llamaCachedHidden()", () => {
  const key = cacheShape(TOY, B, S);
  const inputs = {
    inputIds: spec("int64", [B, T]),
    lastPosition: spec("int32", [B]),
    totalLength: spec("int32", []),
    rotary: { cos: spec("float32", [dim("P"), 8]), sin: spec("float32", [dim("P"), 8]) },
    cache: [0, 1].map(() => ({ key: spec("float32", key), value: spec("float32", key) })),
  };
  const cached = trace((arg) => llamaCachedHidden(TOY, parameters(TOY), arg), [inputs]);
  const whole = trace((inputIds) => llamaHidden(TOY, parameters(TOY), { inputIds }), [spec("int64", [B, T])]);
  const rotary = rotaryTable(16, rotaryOptions(TOY));
  interface Result {
    readonly hidden: Tensor;
    readonly cache: readonly { key: Tensor; value: Tensor }[];
  }
  const run = (rows: readonly (readonly number[])[], last: readonly number[], cache: Result["cache"]) => {
    const arg = {
      inputIds: ids(rows),
      lastPosition: Tensor.fromArray("int32", [last.length], last),
      totalLength: Tensor.fromArray("int32", [], [Math.max(...last) + 1]),
      rotary,
      cache,
    };
    return evaluate(cached, [arg], WEIGHTS) as Result;
  };
  const empty = (batch: number, capacity: number): Result["cache"] =>
    [0, 1].map(() => {
      const shape = cacheShape(TOY, batch, capacity) as number[];
      return { key: Tensor.zeros("float32", shape), value: Tensor.zeros("float32", shape) };
    });
  const rowOf = (hidden: Tensor, index: number) => hidden.toNumbers().slice(index * 24, (index + 1) * 24);
  const expected = (row: readonly number[]) =>
    rowOf(evaluate(whole, [ids([row])], WEIGHTS) as Tensor, row.length - 1);

  it("equals recomputation, for a ragged batch padded on the right and then for each new token", () => {
    const rows = [
      [1, 5, 6, 7],
      [1, 9],
    ];
    let last = [3, 1];
    const prefill = run([rows[0]!, [...rows[1]!, 0, 0]], last, empty(2, 7));
    expectClose(rowOf(prefill.hidden, 3), expected(rows[0]!));
    expectClose(rowOf(prefill.hidden, 4 + 1), expected(rows[1]!));
    let { cache } = prefill;
    for (const token of [11, 12, 13]) {
      for (const row of rows) row.push(token);
      last = last.map((position) => position + 1);
      const step = run([[token], [token]], last, cache);
      expectClose(rowOf(step.hidden, 0), expected(rows[0]!));
      expectClose(rowOf(step.hidden, 1), expected(rows[1]!));
      cache = step.cache;
    }
  });

  it("continues one sequence by several tokens at once", () => {
    const { cache } = run([[1, 5]], [1], empty(1, 6));
    const { hidden } = run([[6, 7, 8]], [4], cache);
    expectClose(rowOf(hidden, 2), expected([1, 5, 6, 7, 8]));
  });

  it("names its outputs so that the cache can be written in place", () => {
    expect(cached.outputs.map(({ path }) => path)).toEqual([
      "hidden",
      "cache.0.key",
      "cache.0.value",
      "cache.1.key",
      "cache.1.value",
    ]);
  });
});
