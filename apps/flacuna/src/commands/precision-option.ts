// The flag that says what a model is computed in, for the commands that generate.
import type { LanguageModelOptions } from "@flacuna/model";
import { Option } from "commander";

/** What generation on a CPU can be computed in. */
export type GenerationPrecision = NonNullable<LanguageModelOptions["precision"]>;

const CHOICES: readonly GenerationPrecision[] = ["float32", "int16", "bfloat16", "int8", "int4"];

/** `--precision`: smaller is faster, and rounds more. */
export const precisionOption = (): Option =>
  new Option(
    "--precision <p>",
    "what the model is computed in: float32 as stored, int16 as good to four digits and faster, int8 about as good and far faster, int4 smallest",
  )
    .choices(CHOICES)
    .default("float32");
