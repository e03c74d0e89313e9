import { describe, expect, it } from "vitest";
import { compile, type Executable } from "../compile.ts";
import type { DType } from "../dtype.ts";
import { evaluate } from "../evaluate.ts";
import { kernelStatus } from "../runtime/kernels.ts";
import { Value } from "../runtime/value.ts";
import { type Dim, dim } from "../shape.ts";
import { elementCount, Tensor } from "../tensor.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, trace } from "../trace.ts";
import { causalAttention } from "./attention.ts";
import { pagedAttention } from "./paged-attention.ts";
import { type PageDType, type Pages, pageSpecs } from "./pages.ts";

const HEADS = { heads: 4, keyValueHeads: 2 };
const [H, K, D, P, L] = [4, 2, 16, 16, 64];
const [N, S, E, G] = [dim("N"), dim("S"), dim("E"), dim("G")];

const table = (seed: number, dtype: DType) => randomTensor([L, D / 2], seed, dtype);

const poolSpecs = (stored: PageDType, pages: Dim = G) =>
  pageSpecs(stored, { pages, pageSize: P, keyValueHeads: K, headSize: D });

const stepProgram = (dtype: DType, stored: PageDType) =>
  trace((projected, pool) => pagedAttention(projected, pool, HEADS), [
    {
      query: spec(dtype, [N, H * D]),
      key: spec(dtype, [N, K * D]),
      value: spec(dtype, [N, K * D]),
    },
    {
      ...poolSpecs(stored),
      pages: spec("int32", [S, E]),
      sequence: spec("int32", [N]),
      positions: spec("int32", [N]),
      cos: spec(dtype, [L, D / 2]),
      sin: spec(dtype, [L, D / 2]),
    },
  ] as const);

/** Tokens from … to − 1 of a sequence. */
interface Piece {
  readonly sequence: number;
  readonly from: number;
  readonly to: number;
}

/** 40 tokens in pages 5 and 2 and the beginning of 1; 20 in 4 and the beginning of 3. */
const LENGTHS = [40, 20];
const PAGES = Tensor.fromArray("int32", [2, 3], [5, 2, 1, 4, 3, 0]);
const PAGE_COUNT = 6;

const projections = (sequence: number, dtype: DType) =>
  [H, K, K].map((heads, part) => randomTensor([LENGTHS[sequence]!, heads * D], 10 * sequence + part, dtype));

function integers(values: readonly number[]): Tensor {
  return Tensor.fromArray("int32", [values.length], values);
}

/** The arguments of a step but for the pool's two. */
function stepArguments(pieces: readonly Piece[], dtype: DType) {
  const rows = (part: number): Tensor => {
    const numbers = pieces.map(({ sequence, from, to }) => {
      const whole = projections(sequence, dtype)[part]!;
      const width = whole.shape[1]!;
      return whole.toNumbers().slice(from * width, to * width);
    });
    const count = pieces.reduce((total, { from, to }) => total + to - from, 0);
    return Tensor.fromArray(dtype, [count, (part === 0 ? H : K) * D], numbers.flat());
  };
  const tokens = pieces.flatMap(({ sequence, from, to }) =>
    Array.from({ length: to - from }, (_, at) => ({ sequence, position: from + at })),
  );
  return {
    projected: { query: rows(0), key: rows(1), value: rows(2) },
    places: {
      pages: PAGES,
      sequence: integers(tokens.map(({ sequence }) => sequence)),
      positions: integers(tokens.map(({ position }) => position)),
      cos: table(1, dtype),
      sin: table(2, dtype),
    },
  };
}

/** Pages that hold nothing but NaN, or large integers with scales that are NaN. */
function emptyPool(stored: PageDType): Pages<Tensor> {
  const specs = Object.entries(poolSpecs(stored, PAGE_COUNT));
  const empty = (dtype: DType, shape: readonly number[]): Tensor =>
    Tensor.fromArray(
      dtype,
      shape,
      new Float32Array(elementCount(shape)).fill(dtype === "int16" ? 32_767 : Number.NaN),
    );
  return Object.fromEntries(
    specs.map(([name, { dtype, shape }]) => [name, empty(dtype, shape as readonly number[])]),
  ) as unknown as Pages<Tensor>;
}

const WHOLE: readonly Piece[] = [
  { sequence: 0, from: 0, to: 40 },
  { sequence: 1, from: 0, to: 20 },
];
const DIVIDED: readonly (readonly Piece[])[] = [
  [{ sequence: 1, from: 0, to: 3 }],
  [
    { sequence: 0, from: 0, to: 31 },
    { sequence: 1, from: 3, to: 19 },
  ],
  [
    { sequence: 1, from: 19, to: 20 },
    { sequence: 0, from: 31, to: 40 },
  ],
];

/** Rows of each sequence by position, from what steps gave. */
function rowsOf(steps: readonly (readonly Piece[])[], results: readonly Tensor[]): Map<string, number[]> {
  const rows = new Map<string, number[]>();
  steps.forEach((pieces, step) => {
    const numbers = results[step]!.toNumbers();
    let row = 0;
    for (const { sequence, from, to } of pieces) {
      for (let position = from; position < to; position++, row++)
        rows.set(`${sequence}:${position}`, numbers.slice(row * H * D, (row + 1) * H * D));
    }
  });
  return rows;
}

/** The interpreter's results, each step over the pool that the one before left. */
function interpret(steps: readonly (readonly Piece[])[], stored: PageDType): Tensor[] {
  const program = stepProgram("float64", stored);
  let pool = emptyPool(stored);
  return steps.map((pieces) => {
    const { projected, places } = stepArguments(pieces, "float64");
    const { mixed, ...written } = evaluate(program, [projected, { ...pool, ...places }]) as Pages<Tensor> & {
      readonly mixed: Tensor;
    };
    pool = written;
    return mixed;
  });
}

/** What a compiled program gives, the pool written in place. */
async function runInPlace(executable: Executable, steps: readonly (readonly Piece[])[], stored: PageDType) {
  const pool = new Map(
    Object.entries(emptyPool(stored)).map(([name, tensor]) => [name, Value.fromTensor(tensor)]),
  );
  const results: Tensor[] = [];
  for (const pieces of steps) {
    const { projected, places } = stepArguments(pieces, "float32");
    const { mixed } = (await executable.run([projected, { ...Object.fromEntries(pool), ...places }], {
      into: pool,
    })) as { mixed: Value };
    results.push(await mixed.toTensor());
    mixed.dispose();
  }
  for (const value of pool.values()) value.dispose();
  return results;
}

const worst = (got: Map<string, number[]>, expected: Map<string, number[]>): number => {
  expect([...got.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  return Math.max(
    ...[...expected].map(([place, row]) =>
      relativeError(
        Tensor.fromArray("float64", [row.length], got.get(place)!),
        Tensor.fromArray("float64", [row.length], row),
      ),
    ),
  );
};

describe("pagedAttention()", () => {
  it.each([0, 1])("gives whole sequences what causalAttention gives: %i", (sequence) => {
    const length = LENGTHS[sequence]!;
    const program = trace(
      (query, key, value, cos, sin) => causalAttention({ query, key, value }, { headSize: D, cos, sin }),
      [
        spec("float64", [1, length, H * D]),
        spec("float64", [1, length, K * D]),
        spec("float64", [1, length, K * D]),
        spec("float64", [length, D / 2]),
        spec("float64", [length, D / 2]),
      ] as const,
    );
    const first = (tensor: Tensor, shape: readonly number[]) =>
      Tensor.fromArray("float64", shape, tensor.toNumbers().slice(0, elementCount(shape)));
    const expected = evaluate(program, [
      ...projections(sequence, "float64").map((x) => first(x, [1, ...x.shape])),
      ...[1, 2].map((seed) => first(table(seed, "float64"), [length, D / 2])),
    ]) as Tensor;
    const rows = rowsOf([WHOLE], interpret([WHOLE], "float64"));
    const got = Array.from({ length }, (_, position) => rows.get(`${sequence}:${position}`)!).flat();
    expect(relativeError(Tensor.fromArray("float64", expected.shape, got), expected)).toBeLessThan(1e-12);
  });

  it("does not depend on how sequences are divided into runs", () => {
    const [whole, divided] = [[WHOLE], DIVIDED].map((steps) => rowsOf(steps, interpret(steps, "float64")));
    expect(worst(divided!, whole!)).toBeLessThan(1e-12);
  });

  it.each([
    ["float16", 1e-5, 1e-2],
    ["int16", 1e-6, 1e-3],
  ] as const)("keeps keys and values in %s", (stored, least, most) => {
    const [exact, rounded] = (["float64", stored] as const).map((each) =>
      rowsOf([WHOLE], interpret([WHOLE], each)),
    );
    const error = worst(rounded!, exact!);
    expect(error).toBeGreaterThan(least);
    expect(error).toBeLessThan(most);
  });

  it.each([
    ["float32", true, 1e-5],
    ["float32", false, 1e-5],
    ["float16", false, 2e-3],
    ["int16", true, 1e-3],
    ["int16", false, 1e-4],
  ] as const)("writes %s pages in place, kernels: %s", async (stored, kernels, tolerance) => {
    const executable = await compile(stepProgram("float32", stored), { kernels });
    const got = rowsOf(DIVIDED, await runInPlace(executable, DIVIDED, stored));
    const operators = executable.explain().filter(({ computedBy }) => computedBy === "native");
    await executable.dispose();
    expect(worst(got, rowsOf([WHOLE], interpret([WHOLE], stored)))).toBeLessThan(tolerance);
    const { path } = await kernelStatus();
    expect(operators.length).toBe(kernels && path !== undefined ? 1 : 0);
  });

  it("gives the same bits alone and in company, at once and divided", async ({ skip }) => {
    const { path } = await kernelStatus();
    if (path === undefined) return skip("there is no C compiler");
    const executable = await compile(stepProgram("float32", "int16"));
    const alone = WHOLE.map((piece) => [piece]);
    const [first, ...others] = await Promise.all(
      [alone, [WHOLE], DIVIDED].map(async (steps) =>
        rowsOf(steps, await runInPlace(executable, steps, "int16")),
      ),
    );
    await executable.dispose();
    for (const other of others)
      expect(new Map([...other].toSorted())).toEqual(new Map([...first!].toSorted()));
  });

  it.each([
    ["a position past the pages", { positions: [48] }],
    ["a sequence without pages", { sequence: [2] }],
    ["a page outside the pool", { pages: [6, 0, 0] }],
  ])("refuses %s", async (_, wrong: { positions?: number[]; sequence?: number[]; pages?: number[] }) => {
    const executable = await compile(stepProgram("float32", "float32"));
    const { projected, places } = stepArguments([{ sequence: 0, from: 0, to: 1 }], "float32");
    const given = {
      ...places,
      ...(wrong.positions && { positions: integers(wrong.positions) }),
      ...(wrong.sequence && { sequence: integers(wrong.sequence) }),
      ...(wrong.pages && { pages: Tensor.fromArray("int32", [1, 3], wrong.pages) }),
    };
    await expect(executable.run([projected, { ...emptyPool("float32"), ...given }])).rejects.toThrow();
    await executable.dispose();
  });

  it("refuses shapes that do not fit", () => {
    const attend = (width: number, heads = HEADS) =>
      trace(
        (query, key, keys, values, pages, places, angles) =>
          pagedAttention(
            { query, key, value: key },
            { keys, values, pages, sequence: places, positions: places, cos: angles, sin: angles },
            heads,
          ),
        [
          spec("float32", [5, width]),
          spec("float32", [5, 32]),
          spec("float32", [3, 2, 16, 32]),
          spec("float32", [3, 2, 32, 16]),
          spec("int32", [1, 3]),
          spec("int32", [5]),
          spec("float32", [9, 8]),
        ] as const,
      );
    expect(() => attend(64)).not.toThrow();
    expect(() => attend(48)).toThrow("pagedAttention: query is [5, 48], expected [5, 64]");
    expect(() => attend(64, { heads: 3, keyValueHeads: 2 })).toThrow("3 heads, expected a multiple of 2");
  });
});
