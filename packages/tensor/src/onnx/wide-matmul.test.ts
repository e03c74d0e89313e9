import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { runEverywhere } from "../fixtures/lowerings.ts";
import { matmul, weight } from "../ops.ts";
import type { Program } from "../program.ts";
import { nativeKernels } from "../runtime/kernels.ts";
import { dim, type Shape } from "../shape.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, trace } from "../trace.ts";
import { weightsFrom } from "../weights.ts";

const M = dim("M");
const B = dim("B");
const T = dim("T");
const SIZES = new Map<unknown, number>([
  [M, 41],
  [B, 2],
  [T, 19],
]);

interface Product {
  readonly name: string;
  readonly a: Shape;
  readonly b: Shape;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const PATTERNS: readonly Product[] = [
  { name: "x Wᵀ of rows in a batch", a: [B, T, 70], b: [100, 70], transposeB: true },
  { name: "g W of rows in a batch", a: [B, T, 100], b: [100, 70] },
  { name: "gᵀ x", a: [M, 100], b: [M, 70], transposeA: true },
  { name: "both operands transposed", a: [65, 90], b: [130, 65], transposeA: true, transposeB: true },
  { name: "sizes that are all known", a: [150, 350], b: [350, 64] },
];

const OTHERS: readonly (Product & { readonly dtype?: "float64" })[] = [
  { name: "a narrow size", a: [M, 192], b: [192, 63] },
  { name: "too few known sizes", a: [M, 192], b: [192, T] },
  { name: "a right operand in a batch", a: [B, T, 192], b: [B, 192, 192] },
  { name: "a sum over rows within a batch", a: [B, T, 192], b: [T, 192], transposeA: true },
  { name: "float64", a: [M, 192], b: [192, 192], dtype: "float64" },
];

const productProgram = (
  { a, b, transposeA, transposeB }: Product,
  dtype: "float32" | "float64" = "float32",
): Program =>
  trace(
    (x, y) => matmul(x, y, { transposeA: transposeA === true, transposeB: transposeB === true }),
    [spec(dtype, a), spec(dtype, b)],
  );

const operatorsOf = async (program: Program, weights = weightsFrom(new Map())): Promise<string[]> => {
  const executable = await compile(program, { weights });
  const operators = executable.explain().map(({ operator }) => operator);
  await executable.dispose();
  return operators;
};

const sized = (shape: Shape): number[] => shape.map((size) => SIZES.get(size) ?? (size as number));
const hasKernels = (await nativeKernels()) !== undefined;

describe("lowerWideMatmul()", () => {
  for (const product of PATTERNS) {
    it.runIf(hasKernels)(`makes ${product.name} one native operator`, async () => {
      expect(await operatorsOf(productProgram(product))).toEqual(["flacuna.Product"]);
    });

    it(`computes ${product.name} as the interpreter does`, async () => {
      const args = [product.a, product.b].map((shape, index) =>
        randomTensor(sized(shape), index + 1, "float32"),
      );
      const { expected, lowerings } = await runEverywhere(productProgram(product), args);
      for (const { name, outputs } of lowerings) {
        expect(outputs[0]!.shape).toEqual(expected[0]!.shape);
        expect(relativeError(outputs[0]!, expected[0]!), name).toBeLessThan(2e-5);
      }
    });
  }

  for (const { dtype, ...product } of OTHERS) {
    it(`leaves to the runtime: ${product.name}`, async () => {
      const operators = await operatorsOf(productProgram(product, dtype));
      expect(operators.filter((operator) => operator.startsWith("flacuna."))).toEqual([]);
    });
  }

  it("leaves a frozen weight to the runtime", async () => {
    const frozen = randomTensor([100, 70], 3, "float32");
    const program = trace(
      (x) => matmul(x, weight("w", frozen), { transposeB: true }),
      [spec("float32", [M, 70])],
    );
    const operators = await operatorsOf(program, weightsFrom(new Map([["w", frozen]])));
    expect(operators.filter((operator) => operator.startsWith("flacuna."))).toEqual([]);
  });
});
