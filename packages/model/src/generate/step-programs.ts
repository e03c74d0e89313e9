// The step programs of a model, each compiled at its first use: they differ in how tokens are chosen. Runs none.
import { type CompileOptions, compile, type Executable, kernelStatus } from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import type { Selection } from "../engine/step-model.ts";
import { ModelError } from "../errors.ts";
import { kernelChoice } from "./kernel-choice.ts";
import { LOGITS_CHOICE } from "./logits-choice.ts";
import { type StepProgramOptions, stepProgram } from "./step-program.ts";
import type { TokenChoice } from "./token-choice.ts";

/** A compiled program, and how its tokens are chosen. */
export interface CompiledStep {
  readonly choice: TokenChoice;
  readonly executable: Executable;
}

/** What programs are made with. */
export interface StepProgramsOptions {
  readonly program: Omit<StepProgramOptions, "choice">;
  readonly compile: CompileOptions;
  /** Called when a program has been compiled: all weights it needs are read. */
  readonly onCompiled?: (() => void) | undefined;
}

/** The fewest alternatives that a program is made for, if any are wanted. */
const FEWEST_ALTERNATIVES = 8;

/** Programs over one set of weights; dispose them when done. */
export class StepPrograms {
  readonly #config: LlamaConfig;
  readonly #options: StepProgramsOptions;
  /** By the alternatives that each can give. */
  readonly #compiling = new Map<number, Promise<CompiledStep>>();
  readonly #ready = new Map<number, CompiledStep>();
  #isDisposed = false;

  constructor(config: LlamaConfig, options: StepProgramsOptions) {
    this.#config = config;
    this.#options = options;
  }

  /**
   * The program that can choose as `selections` say: at once when it is ready, so that a step can begin without delay.
   *
   * @throws ModelError `MODEL_DISPOSED`; TensorError as `compile` does
   */
  for(selections: readonly Selection[]): CompiledStep | Promise<CompiledStep> {
    if (this.#isDisposed) throw new ModelError("MODEL_DISPOSED", "the language model was disposed before");
    const top = Math.min(alternatives(selections), this.#config.vocabSize);
    return this.#ready.get(top) ?? this.#compiling.get(top) ?? this.#start(top);
  }

  /** Frees the programs; runs under way finish first. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    const results = await Promise.allSettled(this.#compiling.values());
    const executables = results.map((result) =>
      result.status === "fulfilled" ? result.value.executable : undefined,
    );
    for (const executable of new Set(executables)) await executable?.dispose();
  }

  #start(top: number): Promise<CompiledStep> {
    const compiling = this.#make(top);
    this.#compiling.set(top, compiling);
    compiling.then(
      (compiled) => this.#ready.set(top, compiled),
      // A failed attempt is not kept: the next use tries again.
      () => this.#compiling.delete(top),
    );
    return compiling;
  }

  async #make(top: number): Promise<CompiledStep> {
    const { program, compile: options, onCompiled } = this.#options;
    const choice = (await this.#hasKernels()) ? kernelChoice(top) : LOGITS_CHOICE;
    // Logits serve for any number of alternatives.
    if (choice === LOGITS_CHOICE && top > 0) return this.for([]);
    const executable = await compile(stepProgram(this.#config, { ...program, choice }), options);
    onCompiled?.();
    return { choice, executable };
  }

  async #hasKernels(): Promise<boolean> {
    const { device = "cpu", kernels = true } = this.#options.compile;
    return device === "cpu" && kernels && (await kernelStatus()).path !== undefined;
  }
}

/** How many alternatives a program for these must give: powers of two, as a program for each number would be many. */
function alternatives(selections: readonly Selection[]): number {
  const wanted = Math.max(0, ...selections.map(({ top }) => top));
  return wanted === 0 ? 0 : Math.max(FEWEST_ALTERNATIVES, 2 ** Math.ceil(Math.log2(wanted)));
}
