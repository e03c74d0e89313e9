import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { runEverywhere } from "../fixtures/lowerings.ts";
import { matmul } from "../ops.ts";
import { nativeKernels } from "../runtime/kernels.ts";
import { dim, type Shape } from "../shape.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, trace } from "../trace.ts";

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

const PATTERNS: readonly (Product & { readonly operator: string })[] = [
  {
    name: "x Aᵀ of rows in a batch",
    a: [B, T, 70],
    b: [8, 70],
    transposeB: true,
    operator: "flacuna.ThinReduce",
  },
  { name: "g B", a: [M, 192], b: [192, 5], operator: "flacuna.ThinReduce" },
  { name: "r Bᵀ", a: [M, 8], b: [70, 8], transposeB: true, operator: "flacuna.ThinExpand" },
  { name: "d A of rows in a batch", a: [B, T, 32], b: [32, 192], operator: "flacuna.ThinExpand" },
  { name: "dᵀ x", a: [M, 8], b: [M, 70], transposeA: true, operator: "flacuna.ThinOuter" },
  { name: "gᵀ r", a: [M, 192], b: [M, 3], transposeA: true, operator: "flacuna.ThinOuter" },
];

const OTHERS: readonly (Product & { readonly dtype?: "float64" })[] = [
  { name: "no thin size", a: [M, 192], b: [192, 33] },
  { name: "two thin sizes", a: [M, 8], b: [8, 32] },
  { name: "a thin size known only when it runs", a: [8, 192], b: [M, 192], transposeB: true },
  { name: "a right operand in a batch", a: [B, T, 192], b: [B, 192, 8] },
  { name: "a sum over rows within a batch", a: [B, T, 192], b: [T, 8], transposeA: true },
  { name: "both operands transposed", a: [192, M], b: [8, 192], transposeA: true, transposeB: true },
  { name: "float64", a: [M, 192], b: [192, 8], dtype: "float64" },
];

const productProgram = (
  { a, b, transposeA, transposeB }: Product,
  dtype: "float32" | "float64" = "float32",
) =>
  trace(
    (x, y) => matmul(x, y, { transposeA: transposeA === true, transposeB: transposeB === true }),
    [spec(dtype, a), spec(dtype, b)],
  );

const operatorsOf = async (program: ReturnType<typeof productProgram>): Promise<string[]> => {
  const executable = await compile(program);
  const operators = executable.explain().map(({ operator }) => operator);
  await executable.dispose();
  return operators;
};

const sized = (shape: Shape): number[] => shape.map((size) => SIZES.get(size) ?? (size as number));
const hasKernels = (await nativeKernels()) !== undefined;

describe("lowerThinMatmul()", () => {
  for (const { operator, ...product } of PATTERNS) {
    it.runIf(hasKernels)(`makes ${product.name} one native operator`, async () => {
      expect(await operatorsOf(productProgram(product))).toEqual([operator]);
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
});
