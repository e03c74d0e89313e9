import { expectTypeOf, test } from "vitest";
import type { valueAndGrad } from "./grad.ts";
import { sum } from "./ops.ts";
import type { Program } from "./program.ts";
import { spec, type Tracer, trace } from "./trace.ts";

const vector = spec("float32", [3]);

test("trace() hands the function the specs' tree with tracers for leaves", () => {
  const program = trace(
    (x, { weight, layers }) => {
      expectTypeOf(x).toEqualTypeOf<Tracer>();
      expectTypeOf(weight).toEqualTypeOf<Tracer>();
      expectTypeOf(layers[0].bias).toEqualTypeOf<Tracer>();
      return x;
    },
    [vector, { weight: vector, layers: [{ bias: vector }] }],
  );
  expectTypeOf(program).toEqualTypeOf<Program>();
});

test("trace() refuses names and arguments that the specs do not have", () => {
  // @ts-expect-error: the tree has no `bias`
  trace(({ bias }) => bias, [{ weight: vector }]);
  // @ts-expect-error: one spec, two parameters
  trace((x: Tracer, y: Tracer) => [x, y], [vector]);
});

test("valueAndGrad() gives the gradient in the structure of the first argument", () => {
  const loss = ({ a }: { a: Tracer; b: readonly Tracer[] }, scale: Tracer) => sum(a) ?? scale;
  type Result = ReturnType<ReturnType<typeof valueAndGrad<Parameters<typeof loss>[0], [Tracer], Tracer>>>;
  expectTypeOf<Result["value"]>().toEqualTypeOf<Tracer>();
  expectTypeOf<Result["gradient"]["a"]>().toEqualTypeOf<Tracer>();
  expectTypeOf<Result["gradient"]["b"][number]>().toEqualTypeOf<Tracer>();
});
