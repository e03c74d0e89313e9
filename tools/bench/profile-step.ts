// Time per kind of operator of one training step, from the runtime's own profile of the loss and its gradient.
import { readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Adapter, adapterLoss, int8ByPath, SUPERVISED_BATCH, type SupervisedBatch } from "@flacuna/lora";
import { type LlamaConfig, rotateCheckpoint } from "@flacuna/model";
import {
  compile,
  mapTree,
  type Precision,
  type SavedActivations,
  scalar,
  spec,
  Tensor,
  trace,
  Value,
  valueAndGrad,
  type WeightSource,
} from "@flacuna/tensor";
import { elementsOf, type ProductWork, productWork, type TypedShape } from "./product-work.ts";

/** The runs that are measured, after one that is not. */
const MEASURED_RUNS = 2;

/** What one kind of operator cost in one step. */
export interface OperatorTime {
  readonly operator: string;
  /** nodes */
  readonly count: number;
  readonly seconds: number;
  /** for operators that are products */
  readonly work?: ProductWork;
  /** bytes of all arguments and results */
  readonly bytes: number;
}

/** Profiles the loss and the gradient of one micro-batch; the update, which is small, is not in it. */
export async function profileStep(options: {
  readonly checkpoint: { readonly config: LlamaConfig; readonly weights: WeightSource };
  readonly adapter: Adapter;
  readonly threads: number;
  readonly batch: SupervisedBatch;
  readonly precision: Precision;
  /** see `LossOptions` of `@flacuna/lora` */
  readonly recompute?: boolean;
  readonly savedActivations?: SavedActivations;
  /** path that the profile's file begins with; the file is removed */
  readonly prefix: string;
}): Promise<{ readonly operators: readonly OperatorTime[] }> {
  const { adapter, threads, batch, prefix, precision, recompute = false, savedActivations } = options;
  // As `createAdapterTrainer` does: int8 wants a rotated base, and some weights in 16 bits.
  const isInt8 = precision === "int8";
  const { config, weights } = options.checkpoint;
  const rotated = isInt8 ? rotateCheckpoint(config, weights) : undefined;
  const base = rotated ?? options.checkpoint;
  const loss = adapterLoss(base.config, adapter.config, true, { recompute, ...(rotated && { rotated }) });
  const isTensor = (leaf: unknown): leaf is Tensor => leaf instanceof Tensor;
  const specs = mapTree(adapter.tensors, isTensor, ({ dtype, shape }) => spec(dtype, shape));
  const program = trace(
    (parameters, data, seed) =>
      valueAndGrad((at: unknown) => loss(at as never, data as never, seed as never))(parameters),
    [specs, SUPERVISED_BATCH, spec("int64", [])],
  );
  const executable = await compile(program, {
    weights: base.weights,
    threads,
    spinning: true,
    profilePrefix: prefix,
    ...(savedActivations && { savedActivations: { loss: "value", dtype: savedActivations } }),
    precision: isInt8 ? int8ByPath(base.config) : precision,
  });
  for (let run = 0; run <= MEASURED_RUNS; run++) {
    const results = await executable.run([adapter.tensors, batch, scalar(0, "int64")]);
    mapTree(
      results,
      (leaf): leaf is Value => leaf instanceof Value,
      (value) => value.dispose(),
    );
  }
  await executable.dispose();
  return { operators: sumByOperator(await takeProfile(prefix)) };
}

/** One entry of the runtime's profile; those of category "Node" are kernels. */
export interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** microseconds */
  readonly ts: number;
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly node_index?: string;
    readonly input_type_shape?: readonly TypedShape[];
    readonly output_type_shape?: readonly TypedShape[];
  };
}

async function takeProfile(prefix: string): Promise<ProfileEvent[]> {
  const names = await readdir(dirname(prefix));
  const name = names.find((each) => each.startsWith(`${basename(prefix)}_`));
  if (name === undefined) throw new Error(`the runtime wrote no profile ${prefix}_*`);
  const path = join(dirname(prefix), name);
  const events = JSON.parse(await readFile(path, "utf8")) as ProfileEvent[];
  await rm(path);
  return events;
}

/** The events of several runs as costs of one run, most time first; the first run of every node is left out. */
export function sumByOperator(events: readonly ProfileEvent[]): OperatorTime[] {
  const kernels = events
    .filter(({ cat, name }) => cat === "Node" && name.endsWith("_kernel_time"))
    .sort((a, b) => a.ts - b.ts);
  const seen = new Set<string>();
  const totals = new Map<string, OperatorTime>();
  for (const { name, dur, args = {} } of kernels) {
    if (!seen.has(name)) {
      seen.add(name);
      continue;
    }
    const operator = args.op_name ?? "unknown";
    const before = totals.get(operator);
    const { input_type_shape: inputs = [], output_type_shape: outputs = [] } = args;
    const work = productWork(operator, inputs, outputs);
    totals.set(operator, {
      operator,
      count: (before?.count ?? 0) + 1 / MEASURED_RUNS,
      seconds: (before?.seconds ?? 0) + dur / 1e6 / MEASURED_RUNS,
      bytes: (before?.bytes ?? 0) + bytesOf([...inputs, ...outputs]) / MEASURED_RUNS,
      ...(work && {
        work: {
          type: work.type,
          operations: (before?.work?.operations ?? 0) + work.operations / MEASURED_RUNS,
        },
      }),
    });
  }
  return [...totals.values()].sort((a, b) => b.seconds - a.seconds);
}

/** Bytes of an element by the runtime's names. */
const BYTES: Readonly<Record<string, number>> = {
  float: 4,
  double: 8,
  int64: 8,
  int32: 4,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

const bytesOf = (shapes: readonly TypedShape[]): number =>
  shapes.reduce((total, shape) => total + elementsOf(shape) * (BYTES[Object.keys(shape)[0]!] ?? 0), 0);
