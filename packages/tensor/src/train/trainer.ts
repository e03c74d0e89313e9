// The training loop: accumulation, schedule, guarded updates, exact state. Speaks only through what it returns; knows no model.
import { compile, type Executable } from "../compile.ts";
import { TensorError } from "../errors.ts";
import { isTensor } from "../evaluate.ts";
import type { Optimizer } from "../optim/adamw.ts";
import type { Schedule } from "../optim/schedule.ts";
import type { PrecisionChoice } from "../precision/parts.ts";
import { deriveSeed } from "../random.ts";
import type { Device } from "../runtime/session.ts";
import { Value } from "../runtime/value.ts";
import type { SavedActivations } from "../saved-activations.ts";
import { scalar, Tensor } from "../tensor.ts";
import { isTensorSpec } from "../trace.ts";
import { flatten, mapTree } from "../tree.ts";
import type { WeightSource } from "../weights.ts";
import { type LossFunction, traceGradient, traceLoss, traceUpdate } from "./train-step.ts";

/** What is trained and how. */
export interface TrainerOptions {
  /** the mean loss of a micro-batch */
  readonly loss: LossFunction;
  /** the loss for `evaluate`, such as one without dropout; `loss` by default */
  readonly evaluationLoss?: LossFunction;
  /** tree of specs of one micro-batch; dimensions may be symbolic */
  readonly batch: unknown;
  /** tree of tensors to begin with */
  readonly parameters: unknown;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  /** micro-batches per update; 1 by default */
  readonly accumulationSteps?: number;
  /** no clipping when absent */
  readonly maxGradNorm?: number;
  /** frozen weights that the loss mentions */
  readonly weights?: WeightSource;
  readonly device?: Device;
  readonly threads?: number;
  /** what products with frozen weights are computed in; "float32" by default */
  readonly precision?: PrecisionChoice;
  /**
   * dtype of the large activations that the forward pass keeps for the gradient; a 16-bit one halves their memory and rounds
   * them, where float16 overflows beyond 65 504; float32 by default
   */
  readonly savedActivations?: SavedActivations;
  /** for what the loss draws at random, such as dropout */
  readonly seed?: number;
}

/** What one update did. */
export interface StepResult {
  /** number of updates before this one */
  readonly step: number;
  /** mean over the micro-batches */
  readonly loss: number;
  /** of the accumulated gradient, before clipping */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** true when the gradient was infinite or NaN: nothing was changed */
  readonly skipped: boolean;
}

/** Everything needed to go on exactly where a trainer stopped, on the host. */
export interface TrainerState {
  readonly step: number;
  readonly parameters: unknown;
  readonly optimizer: unknown;
}

const isValue = (leaf: unknown): leaf is Value => leaf instanceof Value;

const copyTensor = ({ dtype, shape, data }: Tensor): Tensor =>
  new Tensor(dtype, shape, data.slice() as never);

const toDevice = (tree: unknown, device: Device = "cpu"): unknown =>
  mapTree(tree, isTensor, (leaf) => Value.fromTensor(copyTensor(leaf), device));

const disposeTree = (tree: unknown): void => {
  for (const { leaf } of flatten(tree, isValue)) leaf.dispose();
};

async function toHost(tree: unknown): Promise<unknown> {
  const tensors = await Promise.all(
    flatten(tree, isValue).map(async ({ leaf }) => copyTensor(await leaf.toTensor())),
  );
  let next = 0;
  return mapTree(tree, isValue, () => tensors[next++]!);
}

const targets = (prefix: string, tree: unknown): [string, Value][] =>
  flatten(tree, isValue).map(({ path, leaf }) => [path === "" ? prefix : `${prefix}.${path}`, leaf]);

async function readScalar(value: Value): Promise<number> {
  const tensor = await value.toTensor();
  value.dispose();
  return tensor.toNumbers()[0]!;
}

/** Trains a tree of parameters; they, the optimiser's state and the gradient sum stay on the device. */
export class Trainer {
  private readonly options: TrainerOptions;
  private readonly gradient: Executable;
  private readonly update: Executable;
  private readonly evaluation: Executable;
  private parameters: unknown;
  private optimizer: unknown;
  private readonly accumulated: unknown;
  private stepsDone = 0;

  /** Use `createTrainer`. */
  constructor(
    options: TrainerOptions,
    executables: { gradient: Executable; update: Executable; evaluation: Executable },
  ) {
    this.options = options;
    this.gradient = executables.gradient;
    this.update = executables.update;
    this.evaluation = executables.evaluation;
    const specs = specsOf(options.parameters);
    this.parameters = toDevice(options.parameters, options.device);
    this.optimizer = toDevice(options.optimizer.init(specs), options.device);
    this.accumulated = toDevice(
      mapTree(options.parameters, isTensor, ({ dtype, shape }) => Tensor.zeros(dtype, shape)),
      options.device,
    );
  }

  /** Number of updates made or skipped so far. */
  get step(): number {
    return this.stepsDone;
  }

  /**
   * One update from `accumulationSteps` micro-batches (trees of `Tensor`).
   *
   * @throws TensorError `TENSOR_INVALID_ARGUMENT` for another number of micro-batches, `TENSOR_CANCELLED`: the update was not made
   */
  async train(
    microBatches: readonly unknown[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<StepResult> {
    const { accumulationSteps = 1, seed = 0, schedule } = this.options;
    if (microBatches.length !== accumulationSteps) {
      throw new TensorError(
        "TENSOR_INVALID_ARGUMENT",
        `train: expected ${accumulationSteps} micro-batches, got ${microBatches.length}`,
      );
    }
    let loss = 0;
    for (const [index, batch] of microBatches.entries()) {
      const microSeed = scalar(deriveSeed(seed, `${this.stepsDone}.${index}`), "int64");
      const args = [this.parameters, batch, microSeed, this.accumulated, scalar(index === 0, "bool")];
      const into = new Map(targets("accumulated", this.accumulated));
      const result = (await this.gradient.run(args, { into, ...options })) as { loss: Value };
      loss += (await readScalar(result.loss)) / microBatches.length;
    }
    const learningRate = schedule(this.stepsDone);
    const gradientNorm = await this.applyUpdate(learningRate);
    return {
      step: this.stepsDone++,
      loss,
      gradientNorm,
      learningRate,
      skipped: !Number.isFinite(gradientNorm),
    };
  }

  private async applyUpdate(learningRate: number): Promise<number> {
    const args = [this.parameters, this.optimizer, this.accumulated, scalar(learningRate, "float32")];
    const into = new Map([...targets("parameters", this.parameters), ...targets("state", this.optimizer)]);
    const result = (await this.update.run(args, { into })) as { gradientNorm: Value };
    return readScalar(result.gradientNorm);
  }

  /** The evaluation loss of one micro-batch; changes nothing. */
  async evaluate(batch: unknown, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const result = (await this.evaluation.run([this.parameters, batch, scalar(0, "int64")], options)) as {
      loss: Value;
    };
    return readScalar(result.loss);
  }

  /** A copy of the whole state on the host. */
  async state(): Promise<TrainerState> {
    const [parameters, optimizer] = await Promise.all([toHost(this.parameters), toHost(this.optimizer)]);
    return { step: this.stepsDone, parameters, optimizer };
  }

  /**
   * Goes on from a state: on the CPU what follows equals never having stopped, bit for bit.
   *
   * @throws TensorError `TENSOR_INVALID_ARGUMENT` when the state is another model's
   */
  restore(state: TrainerState): void {
    checkSame("parameters", this.parameters, state.parameters);
    checkSame("optimizer", this.optimizer, state.optimizer);
    disposeTree(this.parameters);
    disposeTree(this.optimizer);
    this.parameters = toDevice(state.parameters, this.options.device);
    this.optimizer = toDevice(state.optimizer, this.options.device);
    this.stepsDone = state.step;
  }

  /** Frees programs and values. */
  async dispose(): Promise<void> {
    for (const tree of [this.parameters, this.optimizer, this.accumulated]) disposeTree(tree);
    await Promise.all(
      [this.gradient, this.update, this.evaluation].map((executable) => executable.dispose()),
    );
  }
}

const specsOf = (parameters: unknown): unknown =>
  mapTree(parameters, isTensorSpec, ({ dtype, shape }) => ({ dtype, shape }));

function checkSame(name: string, current: unknown, next: unknown): void {
  const describe = (entries: readonly { path: string; leaf: Value | Tensor }[]) =>
    entries.map(({ path, leaf }) => `${path}:${leaf.dtype}[${leaf.shape}]`).join(" ");
  if (describe(flatten(current, isValue)) !== describe(flatten(next, isTensor))) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `restore: the ${name} in the state differ in name, dtype or shape from the trainer's`,
    );
  }
}

/**
 * Compiles the programs of a training run and puts its state on the device.
 *
 * @example
 * const trainer = await createTrainer({ loss, parameters, batch: batchSpec, optimizer: adamW(), schedule: constantSchedule(1e-3) });
 * const { loss } = await trainer.train([batch]);
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { loss, evaluationLoss = loss, batch, optimizer, accumulationSteps = 1 } = options;
  const parameters = specsOf(options.parameters);
  const compileOptions = {
    ...(options.weights && { weights: options.weights }),
    ...(options.device && { device: options.device }),
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.precision && { precision: options.precision }),
  };
  const clip = options.maxGradNorm === undefined ? {} : { maxGradNorm: options.maxGradNorm };
  const { savedActivations: dtype = "float32" } = options;
  const gradient = await compile(
    traceGradient(loss, parameters, batch, { microBatches: accumulationSteps }),
    { ...compileOptions, spinning: true, savedActivations: { loss: "loss", dtype } },
  );
  const update = await compile(traceUpdate(optimizer, parameters, clip), compileOptions);
  const evaluation = await compile(traceLoss(evaluationLoss, parameters, batch), compileOptions);
  return new Trainer(options, { gradient, update, evaluation });
}
