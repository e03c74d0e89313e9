// The tensors that stand for a frozen weight [out, in] in each form: names, dtypes and shapes.
import { BLOCK } from "../composites/panel-linear.ts";
import { DEPTH_STEP, roundUp } from "../composites/quantize-rows.ts";
import type { DType } from "../dtype.ts";

/** What the products with frozen weights are computed in. */
export type Precision =
  | "float32"
  | "float16"
  | "bfloat16"
  | "int16"
  | "int8"
  | "int4"
  | "int8Blockwise"
  | "int4Blockwise"
  | "int8BlockwiseFine"
  | "int4BlockwiseFine";

/** One precision for all frozen weights; or, on the CPU, one for each by its path. */
export type PrecisionChoice = Precision | PrecisionByPath;

/** What a frozen weight is read for: x · Wᵀ, x · W (for the gradient of that), or single rows. */
export type WeightUse = "linear" | "transposed" | "rows";

/** The precision of each frozen weight by its path and by what it is read for; a weight may be held in several. */
export type PrecisionByPath = (path: string, use: WeightUse) => Exclude<Precision, "float16">;

/** A policy that holds weights in a form other than their own. */
export type Policy = Exclude<Precision, "float32" | "float16">;

/** A form that weights are held in: of a policy, or "float16" for tables that rows are looked up in. */
export type Form = "int8" | "bfloat16" | "int16" | "int4" | "float16";

/** dtype and shape of one part. */
export interface PartSpec {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Sizes of a weight: x · Wᵀ maps `in` columns to `out`. */
export interface MatrixSize {
  readonly out: number;
  readonly in: number;
}

/** Outputs that lie side by side in packed weights. */
const GROUP = 16;
/** Weights of 16 and of 4 bits are padded to multiples of this. */
const PANEL_STEP = 32;

function int8Parts({ out, in: inputs }: MatrixSize) {
  const [rows, columns] = [roundUp(out, DEPTH_STEP), roundUp(inputs, DEPTH_STEP)];
  return {
    packed: { dtype: "int8", shape: [rows / GROUP, columns / 4, GROUP, 4] },
    scales: { dtype: "float32", shape: [out] },
    rowSums: { dtype: "int32", shape: [rows] },
    columnSums: { dtype: "int32", shape: [columns] },
  } as const satisfies Record<string, PartSpec>;
}

function bfloat16Parts({ out, in: inputs }: MatrixSize) {
  const [rows, columns] = [roundUp(out, PANEL_STEP), roundUp(inputs, PANEL_STEP)];
  return {
    packed: { dtype: "bfloat16", shape: [rows / GROUP, columns / 2, GROUP, 2] },
  } as const satisfies Record<string, PartSpec>;
}

function int16Parts({ out, in: inputs }: MatrixSize) {
  const [rows, columns] = [roundUp(out, PANEL_STEP), roundUp(inputs, PANEL_STEP)];
  return {
    packed: { dtype: "int16", shape: [rows / GROUP, columns / 2, GROUP, 2] },
    scales: { dtype: "float32", shape: [rows] },
  } as const satisfies Record<string, PartSpec>;
}

function int4Parts({ out, in: inputs }: MatrixSize) {
  const groups = roundUp(out, PANEL_STEP) / GROUP;
  const blocks = [groups, inputs / BLOCK, GROUP];
  return {
    packed: { dtype: "uint8", shape: [groups, inputs / 8, GROUP, 4] },
    scales: { dtype: "float16", shape: blocks },
    minimums: { dtype: "float16", shape: blocks },
  } as const satisfies Record<string, PartSpec>;
}

function float16Parts({ out, in: inputs }: MatrixSize) {
  return { rows: { dtype: "float16", shape: [out, inputs] } } as const satisfies Record<string, PartSpec>;
}

/** The parts of each form, by name. */
export const PARTS = {
  int8: int8Parts,
  bfloat16: bfloat16Parts,
  int16: int16Parts,
  int4: int4Parts,
  float16: float16Parts,
} as const satisfies Record<Form, (size: MatrixSize) => Record<string, PartSpec>>;

/** What becomes of a weight whose inputs are not whole blocks of 4 bits. */
const WITHOUT_WHOLE_BLOCKS: { readonly [P in Policy]?: Policy | "float32" } = {
  int4: "float32",
  int4Blockwise: "int8Blockwise",
  int4BlockwiseFine: "int8BlockwiseFine",
};

/** The policy that holds a weight of this size where `policy` is asked for. */
export const policyFor = (policy: Policy | "float32", { in: inputs }: MatrixSize): Policy | "float32" =>
  policy === "float32" || inputs % BLOCK === 0 ? policy : (WITHOUT_WHOLE_BLOCKS[policy] ?? policy);

/** The name of a part in a weight source. */
export const partPath = (path: string, form: Form, part: string): string => `${path}#${form}.${part}`;

/** What a part's name says; undefined for a weight of the checkpoint itself. */
export function parsePartPath(path: string): { path: string; form: Form; part: string } | undefined {
  const match = /^(.*)#(int8|bfloat16|int16|int4|float16)\.(\w+)$/.exec(path);
  return match === null ? undefined : { path: match[1]!, form: match[2] as Form, part: match[3]! };
}

/** A tensor that a weight source may give. */
export interface WeightPart extends PartSpec {
  readonly path: string;
}

/**
 * The tensors that a frozen weight [out, in] is held as: a source that gives these is never asked for the weight itself.
 *
 * @param form a precision policy's, or "float16" for a table that rows are looked up in
 */
export function weightParts(
  path: string,
  form: Form,
  [out, inputs]: readonly [number, number],
): WeightPart[] {
  const parts: Readonly<Record<string, PartSpec>> = PARTS[form]({ out, in: inputs });
  return Object.entries(parts).map(([part, spec]) => ({ ...spec, path: partPath(path, form, part) }));
}
