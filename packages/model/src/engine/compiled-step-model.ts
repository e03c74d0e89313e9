// A step program with its pool of pages as a `StepModel`: one run per step, the pool written in place.
import type { Device, WeightSource } from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import { BoundStep } from "../generate/bound-step.ts";
import { PagePool, type PoolDType, pagesFor } from "../generate/page-pool.ts";
import { RotaryTables } from "../generate/rotary-tables.ts";
import { stepArguments } from "../generate/step-arguments.ts";
import { type CompiledStep, StepPrograms } from "../generate/step-programs.ts";
import type { AdapterStack } from "../layers/linear.ts";
import { type LlamaOptions, rotaryOptions } from "../llama.ts";
import { type ModelPrecision, precisionChoice } from "../precision.ts";
import type { StepBatch, StepModel, StepResult } from "./step-model.ts";

/** How a model is run. */
export interface StepModelOptions extends Pick<LlamaOptions, "linear" | "hadamard"> {
  /** Default "cpu". */
  readonly device?: Device;
  /** What weights are held and computed in, whatever is stored. Default float32 on "cpu", float16 elsewhere. */
  readonly precision?: ModelPrecision;
  /** Threads of one run; the machine's cores by default. */
  readonly threads?: number;
  /** Whether native kernels are used where there are some. Default true. */
  readonly kernels?: boolean;
  /**
   * Tokens whose keys and values are kept, of all sequences together, and so the bound of each. Default 65,536, or what
   * fits a quarter of the memory, if that is less.
   */
  readonly cacheTokens?: number;
  /** Adapters that each sequence can have one of; they take the place of `linear`. */
  readonly adapters?: AdapterStack;
}

/** Positions in a page: whole pages are shared, and part of the last one is unused. */
const PAGE_SIZE = 32;

/** A step model whose programs are compiled when first used. */
export interface CompilingStepModel extends StepModel {
  /** Compiles the program that most steps need, so that none waits for it. */
  compile(): Promise<void>;
}

/**
 * The step model of a checkpoint's weights, which stay their owner's.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT`; TensorError `TENSOR_OUT_OF_MEMORY`
 */
export function createStepModel(
  { config, weights }: { readonly config: LlamaConfig; readonly weights: WeightSource },
  options: StepModelOptions & { readonly onCompiled?: () => void },
): CompilingStepModel {
  const { device = "cpu", adapters, linear, hadamard = false, threads, kernels = true, onCompiled } = options;
  const precision = options.precision ?? (device === "cpu" ? "float32" : "float16");
  const dtype = poolDType(precision, device);
  const program = {
    poolDType: dtype,
    pageSize: PAGE_SIZE,
    hadamard,
    adapters,
    ...(linear && { linear }),
  } as const;
  const compile = {
    device,
    kernels,
    weights: adapters ? joined(weights, adapters.weights) : weights,
    precision: precisionChoice(config, weights, { precision, device }),
    ...(threads !== undefined && { threads }),
  };
  const pageCount = pagesFor(config, { dtype, pageSize: PAGE_SIZE, tokens: options.cacheTokens });
  return new CompiledStepModel({
    vocabSize: config.vocabSize,
    programs: new StepPrograms(config, { program, compile, onCompiled }),
    pool: new PagePool(config, { pageCount, pageSize: PAGE_SIZE, dtype, device }),
    rotaryTables: new RotaryTables(rotaryOptions(config), device),
    hasAdapters: adapters !== undefined,
  });
}

/** Integers are the most exact of 16 bits, and the fastest where there are native kernels. */
function poolDType(precision: ModelPrecision, device: Device): PoolDType {
  if (precision === "float32") return "float32";
  return device === "cpu" ? "int16" : "float16";
}

const joined = (first: WeightSource, second: WeightSource): WeightSource => ({
  get: (path) => first.get(path) ?? second.get(path),
});

/** What a step model is made of; it disposes all of it. */
interface CompiledStepModelParts {
  readonly vocabSize: number;
  readonly programs: StepPrograms;
  readonly pool: PagePool;
  readonly rotaryTables: RotaryTables;
  /** Whether the programs are told each token's adapter. */
  readonly hasAdapters: boolean;
}

/** See `CompilingStepModel`. */
class CompiledStepModel implements CompilingStepModel {
  readonly vocabSize: number;
  readonly pageSize: number;
  readonly pageCount: number;
  readonly #parts: CompiledStepModelParts;
  readonly #bound = new Map<CompiledStep, BoundStep>();

  constructor(parts: CompiledStepModelParts) {
    this.#parts = parts;
    this.vocabSize = parts.vocabSize;
    this.pageSize = parts.pool.pageSize;
    this.pageCount = parts.pool.pageCount;
  }

  async compile(): Promise<void> {
    await this.#parts.programs.for([]);
  }

  async run(
    { sequences }: StepBatch,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly StepResult[]> {
    const { programs, rotaryTables, hasAdapters } = this.#parts;
    const selections = sequences.flatMap(({ reads }) => reads.map(({ selection }) => selection));
    const compiled = programs.for(selections);
    // Nothing is awaited before the run begins, so that consumers of tokens work while the model does.
    const step = compiled instanceof Promise ? await compiled : compiled;
    const { adapters, ...ofTokens } = stepArguments(sequences);
    const end = Math.max(...sequences.map((each) => each.position + each.tokens.length));
    const { cos, sin } = rotaryTables.atLeast(end);
    const choice = step.choice.arguments(selections, this.vocabSize);
    const tensors = { ...ofTokens, ...(hasAdapters && { adapters }), ...prefixed("choice.", choice) };
    const values = { "rotary.cos": cos, "rotary.sin": sin };
    return this.#bind(step).run({ tensors, values, selections }, options.signal);
  }

  #bind(step: CompiledStep): BoundStep {
    const bound = this.#bound.get(step) ?? new BoundStep(step, this.#parts.pool);
    this.#bound.set(step, bound);
    return bound;
  }

  async dispose(): Promise<void> {
    await this.#parts.programs.dispose();
    for (const bound of this.#bound.values()) bound.dispose();
    this.#parts.pool.dispose();
    this.#parts.rotaryTables.dispose();
  }
}

const prefixed = <T>(prefix: string, fields: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [prefix + name, field]));
