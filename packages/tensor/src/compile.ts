// Compile a program for a device: joins lowering and runtime, checks arguments, owns disposal.
import { setImmediate } from "node:timers/promises";
import { fusionsOf } from "./fuse.ts";
import { InPlaceWrites } from "./in-place.ts";
import { lower, type OnnxGraph } from "./onnx/lower.ts";
import { inPrecision } from "./precision/in-precision.ts";
import type { PrecisionChoice } from "./precision/parts.ts";
import { besideStoredBlocks } from "./precision/stored-blocks.ts";
import { withParts } from "./precision/weights.ts";
import type { Program } from "./program.ts";
import { ProgramBinding } from "./program-binding.ts";
import { rewriteInTurns } from "./rewrite.ts";
import { physicalParallelism } from "./runtime/parallelism.ts";
import {
  activeKernelPath,
  createSession,
  type Device,
  declareInitializer,
  KERNEL_DOMAIN,
  nativeKernels,
  type Session,
} from "./runtime/session.ts";
import { Value } from "./runtime/value.ts";
import { type SavedActivations, saveActivations } from "./saved-activations.ts";
import { checkCount } from "./sizes.ts";
import { Tensor } from "./tensor.ts";
import { flatten } from "./tree.ts";
import { resolveWeights, sharedWeights, type WeightSource, weightsFrom } from "./weights.ts";

/** How a program is compiled. */
export interface CompileOptions {
  /** `"cpu"` by default */
  readonly device?: Device;
  /** the named constants; keep one object per checkpoint, so that executables share their values */
  readonly weights?: WeightSource;
  /** threads of one run; the machine's cores by default */
  readonly threads?: number;
  /** what products with frozen weights are computed in; "float32" by default */
  readonly precision?: PrecisionChoice;
  /** whether native kernels are used where there are some; true by default */
  readonly kernels?: boolean;
  /**
   * whether the runtime's threads wait between operators in a busy loop; false by default. For long runs of many
   * operators, such as a training step, while nothing else needs the cores
   */
  readonly spinning?: boolean;
  /** the dtype of what the values up to the output `loss` leave behind for those that come later; float32 by default */
  readonly savedActivations?: { readonly loss: string; readonly dtype: SavedActivations };
  /** writes a profile of every run to a file that begins so */
  readonly profilePrefix?: string;
}

/** How a compiled program is run. */
export interface RunOptions {
  /** ends the run early with `TENSOR_CANCELLED` */
  readonly signal?: AbortSignal;
  /** values to write outputs into, by output path; the same value may be an argument: it is then updated in place */
  readonly into?: ReadonlyMap<string, Value>;
}

/** A kind of operator, how often it occurs, and whose code computes it. */
export interface OperatorCount {
  readonly operator: string;
  readonly count: number;
  /** by the native kernels of this package, or by ONNX Runtime */
  readonly computedBy: "native" | "runtime";
}

const isArgument = (value: unknown): value is Tensor | Value =>
  value instanceof Tensor || value instanceof Value;

/** A program ready to run. Dispose it when it is no longer needed. */
export class Executable {
  readonly program: Program;
  private readonly graph: OnnxGraph;
  private readonly session: Session;
  private readonly inPlace: InPlaceWrites;

  constructor(program: Program, graph: OnnxGraph, session: Session) {
    this.program = program;
    this.graph = graph;
    this.session = session;
    this.inPlace = new InPlaceWrites(program);
  }

  /**
   * The program's results for one set of arguments; the caller owns and disposes the values.
   *
   * @param args one tree of `Tensor` or `Value` per argument of the traced function
   * @throws TensorError `TENSOR_SHAPE_MISMATCH`, `TENSOR_DTYPE_MISMATCH` (arguments), `TENSOR_VALUE_DISPOSED`,
   * `TENSOR_INVALID_ARGUMENT` (an output that cannot be written in place), `TENSOR_CANCELLED`, `TENSOR_OUT_OF_MEMORY`
   */
  async run(args: readonly unknown[], options: RunOptions = {}): Promise<unknown> {
    const leaves = flatten(args, isArgument).map(({ leaf }) => leaf);
    const made: Value[] = [];
    const toValue = (leaf: Tensor | Value) => {
      if (leaf instanceof Value) return leaf;
      const value = Value.fromTensor(leaf);
      made.push(value);
      return value;
    };
    using binding = this.createBinding();
    checkCount(this.program.inputs, leaves);
    try {
      for (const [index, { path }] of this.program.inputs.entries())
        binding.bindInput(path, toValue(leaves[index]!));
      for (const [path, value] of options.into ?? []) binding.bindOutput(path, value);
      const results = new Map([...(options.into ?? []), ...(await binding.run(options))]);
      return this.program.rebuildOutputs(this.program.outputs.map(({ path }) => results.get(path)));
    } finally {
      for (const value of made) value.dispose();
    }
  }

  /** For runs that read and write mostly the same values: what is bound stays bound. */
  createBinding(): ProgramBinding {
    return new ProgramBinding(this.program, this.graph, this.session.createBinding(), this.inPlace);
  }

  /** Which operators the program became and what computes them, most frequent first. */
  explain(): OperatorCount[] {
    const counts = new Map<string, OperatorCount>();
    for (const { opType, domain } of this.graph.nodes) {
      const operator = domain === "" ? opType : `${domain}.${opType}`;
      const count = (counts.get(operator)?.count ?? 0) + 1;
      counts.set(operator, { operator, count, computedBy: domain === KERNEL_DOMAIN ? "native" : "runtime" });
    }
    return [...counts.values()].sort((a, b) => b.count - a.count);
  }

  /** The instruction-set path that the program's native operators take now; undefined when it has none. */
  get kernelPath(): string | undefined {
    return this.graph.nodes.some(({ domain }) => domain === KERNEL_DOMAIN) ? activeKernelPath() : undefined;
  }

  /** Frees the session; runs in progress finish first. */
  async dispose(): Promise<void> {
    await this.session.dispose();
  }
}

/**
 * Compiles a program for a device. What takes milliseconds of this thread is done in parts, with turns of the event loop
 * in between.
 *
 * @throws TensorError `TENSOR_WEIGHT_MISSING`, `TENSOR_DEVICE_UNKNOWN`, `TENSOR_DEVICE_UNAVAILABLE`,
 * `TENSOR_LIBRARY_MISSING`, `TENSOR_LIBRARY_INCOMPATIBLE`
 * @example
 * const square = await compile(trace((x) => mul(x, x), [spec("float32", [dim("N")])]));
 */
export async function compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
  const { device = "cpu", precision = "float32", threads = physicalParallelism() } = options;
  const weights = withParts(options.weights ?? weightsFrom(new Map()));
  const kernels = device === "cpu" && options.kernels !== false ? await nativeKernels() : undefined;
  const choice = device === "cpu" ? besideStoredBlocks(program, precision, weights) : precision;
  await setImmediate();
  const products = inPrecision(program, choice, device);
  const rewritten = products === undefined ? program : await rewriteInTurns(program, products);
  const fused = kernels === undefined ? rewritten : await rewriteInTurns(rewritten, fusionsOf(rewritten));
  await setImmediate();
  const { savedActivations: saved } = options;
  const computed = saved === undefined ? fused : saveActivations(fused, saved.loss, saved.dtype);
  const graph = lower(computed, declareInitializer, { hasNativeKernels: kernels !== undefined });
  await setImmediate();
  const initializers = await resolveWeights(graph.weights, weights);
  await setImmediate();
  const session = await createSession(graph.bytes, {
    device,
    initializers,
    opaqueInitializers: graph.opaqueWeights,
    prepacked: sharedWeights(weights).prepacked,
    // Threads that spin are the runtime's own: those of the pool would compete with them.
    ...(kernels && { operatorDomain: kernels.domainFor(options.spinning ? 0 : threads) }),
    threads,
    ...(options.spinning !== undefined && { spinning: options.spinning }),
    ...(options.profilePrefix !== undefined && { profilePrefix: options.profilePrefix }),
  });
  return new Executable(computed, graph, session);
}
