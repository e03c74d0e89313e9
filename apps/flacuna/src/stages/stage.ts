// What every stage of a reproduction is told.
import type { Preset } from "../presets.ts";

/** One reproduction: its preset, its folder, and the signal that ends it. */
export interface RunContext {
  readonly preset: Preset;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** a line for the user about what a stage does */
  readonly say: (line: string) => void;
}
