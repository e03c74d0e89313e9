// Builds the native kernels, which takes longer than a test may, before the tests of a package that computes.
import { buildKernels } from "./packages/tensor/src/runtime/build-kernels.ts";

/** Where the kernels cannot be built the tests run without them, as a user would; the kernels' own tests say why. */
export async function setup(): Promise<void> {
  if (process.env["FLACUNA_KERNELS"] !== "off") await buildKernels().catch(() => undefined);
}
