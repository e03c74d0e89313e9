import { describe, expect, it } from "vitest";
import { pagedAttention } from "./composites/paged-attention.ts";
import { softmax } from "./composites/softmax.ts";
import { InPlaceWrites } from "./in-place.ts";
import * as ops from "./ops.ts";
import { spec, type Tracer, trace } from "./trace.ts";

const square = spec("float32", [4, 4]);

/** Whether the first output of `fn` may be written over its first argument. */
function mayReuse(fn: (x: Tracer, y: Tracer) => readonly Tracer[]): boolean {
  const program = trace((x, y) => fn(x, y), [square, square]);
  return new InPlaceWrites(program).areAllowed(program.outputs[0]!.variable, program.inputs[0]!.variable);
}

describe("InPlaceWrites", () => {
  it.each<[string, (x: Tracer, y: Tracer) => readonly Tracer[]]>([
    ["a sum of the argument", (x, y) => [ops.add(x, y)]],
    ["a chain of elementwise functions", (x, y) => [ops.where(ops.less(x, 0), ops.mul(ops.exp(x), y), x)]],
    ["what depends on the argument through a finished sum", (x) => [ops.sub(x, ops.mean(x, { axis: 0 }))]],
    [
      "a descent along a gradient that products have finished",
      (x, y) => {
        const error = ops.sub(ops.matmul(y, x), 1);
        return [ops.sub(x, ops.mul(ops.matmul(y, error, { transposeA: true }), 0.1))];
      },
    ],
    ["what does not depend on the argument", (_, y) => [ops.exp(y)]],
    ["the argument itself", (x) => [x]],
    [
      "what others read as well",
      (x, y) => {
        const z = ops.add(x, y);
        return [z, ops.matmul(z, y)];
      },
    ],
  ])("allows %s", (_, fn) => expect(mayReuse(fn)).toBe(true));

  it.each<[string, (x: Tracer, y: Tracer) => readonly Tracer[]]>([
    ["an argument that another equation reads, perhaps later", (x, y) => [ops.add(x, y), ops.matmul(x, y)]],
    ["an argument that is an output itself", (x, y) => [ops.add(x, y), x]],
    ["a product, which reads rows while it writes", (x, y) => [ops.matmul(x, y)]],
    ["a transpose", (x) => [ops.transpose(x, [1, 0])]],
    ["a composite that declares nothing", (x) => [softmax(x)]],
    [
      "a sum with the argument's own product: one operator to the runtime",
      (x, y) => [ops.add(ops.matmul(x, y), x)],
    ],
    ["a product of the argument scaled", (x, y) => [ops.matmul(ops.mul(x, 2), y)]],
    [
      "a sum with a product of the argument's other name",
      (x, y) => [ops.add(ops.matmul(ops.reshape(ops.reshape(x, [16]), [4, 4]), y), x)],
    ],
    ["a product of the argument renamed", (x, y) => [ops.matmul(ops.stopGradient(x), y)]],
    [
      "an argument whose other name is read later",
      (x, y) => {
        const flat = ops.reshape(x, [16]);
        return [ops.add(x, ops.reshape(flat, [4, 4])), ops.mul(flat, 2), y];
      },
    ],
  ])("refuses %s", (_, fn) => expect(mayReuse(fn)).toBe(false));

  it("allows the pairs that a composite declares, and no others", () => {
    const row = spec("float32", [3, 16]);
    const program = trace(
      (query, key, value, keys, values, pages, places, angles) =>
        pagedAttention(
          { query, key, value },
          { keys, values, pages, sequence: places, positions: places, cos: angles, sin: angles },
          { heads: 1, keyValueHeads: 1 },
        ),
      [
        row,
        row,
        row,
        spec("float32", [4, 1, 16, 16]),
        spec("float32", [4, 1, 16, 16]),
        spec("int32", [1, 2]),
        spec("int32", [3]),
        spec("float32", [32, 8]),
      ] as const,
    );
    const writes = new InPlaceWrites(program);
    const output = (path: string) => program.outputs.find((each) => each.path === path)!.variable;
    const input = (index: number) => program.inputs[index]!.variable;
    expect(writes.areAllowed(output("keys"), input(3))).toBe(true);
    expect(writes.areAllowed(output("values"), input(4))).toBe(true);
    expect(writes.areAllowed(output("keys"), input(4))).toBe(false);
    expect(writes.areAllowed(output("mixed"), input(0))).toBe(false);
  });
});
