// Lowering of a composite to a native kernel.
import type { Attributes, Composite } from "../composite.ts";
import type { DType } from "../dtype.ts";
import type { Attribute } from "./lowering.ts";

/** Kernels compute with float32; the definition serves the other floating dtypes. */
const WITHOUT_KERNELS: ReadonlySet<DType> = new Set(["float64", "float16", "bfloat16"]);

/**
 * The lowering to one native operator with the composite's own inputs and outputs.
 *
 * @param options.attributes the operator's attributes; the composite's by default
 * @param options.accepts whether the kernel can take these attributes
 */
export const kernel =
  (
    operator: string,
    options: {
      readonly attributes?: (given: Attributes) => Readonly<Record<string, Attribute>>;
      readonly accepts?: (given: Attributes) => boolean;
    } = {},
  ): NonNullable<Composite["lower"]> =>
  (lowering, { inputs, outputs, params }) => {
    const { attributes = (given) => given, accepts = () => true } = options;
    if (WITHOUT_KERNELS.has(inputs[0]!.dtype) || !accepts(params.attributes)) return false;
    return lowering.emitNative(operator, inputs, outputs, attributes(params.attributes));
  };
