// The program that generation and scoring run: any tokens of any sequences at once, over keys and values in pages.
import {
  dim,
  gather,
  type Program,
  spec,
  type TensorSpec,
  type Tracer,
  trace,
  weight,
} from "@flacuna/tensor";
import { type LlamaConfig, llamaParameterShapes } from "../config.ts";
import { type AdapterStack, type Linear, linear as plainLinear } from "../layers/linear.ts";
import {
  type LlamaOptions,
  llamaHead,
  llamaPagedHidden,
  type PagedInputs,
  type Parameters,
} from "../llama.ts";
import { layerSpecs, type PoolDType } from "./page-pool.ts";
import type { TokenChoice } from "./token-choice.ts";

/** How a step program is built. */
export interface StepProgramOptions extends LlamaOptions {
  /** What keys and values are kept in; all else is float32, but for what `compile` is told. */
  readonly poolDType: PoolDType;
  readonly pageSize: number;
  readonly choice: TokenChoice;
  /** Adapters of which each token has one or none; they take the place of `linear`. */
  readonly adapters?: AdapterStack | undefined;
}

interface StepInputs extends PagedInputs {
  readonly reads: Tracer;
  /** [N] int32: each token's adapter, where there are some */
  readonly adapters?: Tracer;
  /** what `choice` wants to know */
  readonly choice: Readonly<Record<string, Tracer>>;
}

/**
 * The program of one step.
 *
 * Arguments: the tree of `PagedInputs`, with `reads` [R] int64, the indices of the tokens after which one is chosen;
 * `adapters` [N] int32 when there are some; and `choice`. Results: `choice`, and `pool`, to be written over the argument.
 */
export function stepProgram(config: LlamaConfig, options: StepProgramOptions): Program {
  const { adapters, choice } = options;
  const params = parametersOf(config);
  const linearFor = (adapter: Tracer | undefined): Linear =>
    adapters && adapter ? adapters.linear(adapter) : (options.linear ?? plainLinear);
  const step = (inputs: StepInputs) => {
    const linearOfReads = linearFor(inputs.adapters && gather(inputs.adapters, inputs.reads));
    const linears = { linear: linearFor(inputs.adapters), linearOfReads };
    const { hidden, pool } = llamaPagedHidden(config, params, inputs, { ...options, ...linears });
    const logits = llamaHead(config, params, hidden, { linear: linearOfReads }); // [R, V]
    return { choice: choice.choose(logits, inputs.choice), pool };
  };
  return trace((inputs) => step(inputs as unknown as StepInputs), [inputSpecs(config, options)]);
}

function parametersOf(config: LlamaConfig): Parameters {
  const shapes = llamaParameterShapes(config);
  return (path) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
}

function inputSpecs(config: LlamaConfig, { poolDType, pageSize, choice, adapters }: StepProgramOptions) {
  const N = dim("N");
  const ofTokens = spec("int32", [N]);
  const table = spec("float32", [dim("L"), config.headDim / 2]);
  const layer = layerSpecs(config, { dtype: poolDType, pages: dim("G"), pageSize });
  const inputs: Record<string, TensorSpec | object> = {
    tokens: spec("int64", [N]),
    positions: ofTokens,
    sequence: ofTokens,
    pages: spec("int32", [dim("S"), dim("E")]),
    rotary: { cos: table, sin: table },
    pool: Array.from({ length: config.numHiddenLayers }, () => layer),
    reads: spec("int64", [dim("R")]),
    choice: choice.specs(config.vocabSize),
  };
  return adapters === undefined ? inputs : { ...inputs, adapters: ofTokens };
}
