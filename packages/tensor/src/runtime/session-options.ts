// Turns the settings of a session into the runtime's option object. Makes no session.
import { TensorError } from "../errors.ts";
import { create, type Pointer } from "./c-api.ts";
import { appendProvider, type Device } from "./device.ts";
import type { Runtime } from "./library.ts";
import { physicalParallelism } from "./parallelism.ts";

/** Levels of graph optimisation and the runtime's number for each. */
const OPTIMIZATION_LEVELS = { none: 0, basic: 1, extended: 2, all: 99 } as const;

/** Longer than any gap between two operators of a run, and short enough to free the cores soon after it. */
const SPIN_MICROSECONDS = 1000;

/** Settings of a session that are plain data. */
export interface SessionSettings {
  readonly device: Device;
  /** Threads that compute one operator; default: the physical cores. */
  readonly threads?: number;
  /**
   * Whether compute threads wait for the next operator in a busy loop, for up to a millisecond; default false. Measured on 2 cores, 30 products of one
   * row by [512, 512]: alone no difference (0.7 ms), but two sessions in turn take 3.8 ms instead of 1.3 ms, and
   * JavaScript between runs half its speed, as the loop occupies the cores that they need.
   */
  readonly spinning?: boolean;
  /** How much the runtime rewrites the graph; default "all". */
  readonly optimization?: "none" | "basic" | "extended" | "all";
  /** Names of graph rewrites to leave out, such as "CommonSubexpressionElimination". */
  readonly disabledOptimizers?: readonly string[];
  /**
   * Whether memory of intermediate results is kept from run to run, until the session is disposed; default true.
   * Measured on 2 cores, 24 activations of 4 MB: 31 ms a run and 108 MB kept, against 83 ms and 511 MB kept by the
   * system's allocator, which asks the kernel for fresh pages every time and returns them late.
   */
  readonly arena?: boolean;
  /** Further entries of the session configuration, by the runtime's own keys; these win over this package's. */
  readonly config?: Readonly<Record<string, string>>;
  /** The device provider's own options, by its own names; ignored on "cpu". */
  readonly providerOptions?: Readonly<Record<string, string>>;
  /** Operators beyond the runtime's own, such as `NativeKernels.domainFor`. */
  readonly operatorDomain?: Pointer;
  /** Where the profile goes: `<prefix>_<time>.json`, written when the session is disposed. */
  readonly profilePrefix?: string;
}

/**
 * Calls `use` with the runtime's options for `settings`, and releases them after it has finished.
 *
 * @throws TensorError `TENSOR_DEVICE_UNKNOWN`, `TENSOR_DEVICE_UNAVAILABLE`
 */
export async function withSessionOptions<T>(
  runtime: Runtime,
  settings: SessionSettings,
  use: (sessionOptions: Pointer) => Promise<T> | T,
): Promise<T> {
  const sessionOptions = createSessionOptions(runtime, settings);
  try {
    return await use(sessionOptions);
  } finally {
    runtime.api.ReleaseSessionOptions(sessionOptions);
  }
}

/** The runtime's options for `settings`; the caller releases them. */
export function createSessionOptions(runtime: Runtime, settings: SessionSettings): Pointer {
  const { api } = runtime;
  const threads = settings.threads ?? physicalParallelism();
  if (!Number.isInteger(threads) || threads < 1) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `createSession: threads must be a whole number from 1, got ${threads}`,
    );
  }
  const sessionOptions = create((out) => api.CreateSessionOptions(out));
  try {
    api.SetSessionLogSeverityLevel(sessionOptions, 4);
    api.SetIntraOpNumThreads(sessionOptions, threads);
    api.SetSessionGraphOptimizationLevel(sessionOptions, OPTIMIZATION_LEVELS[settings.optimization ?? "all"]);
    api.SetDeterministicCompute(sessionOptions, 1);
    // Plans for one set of shapes: useless when lengths change from run to run, and its blocks stay allocated.
    api.DisableMemPattern(sessionOptions);
    if (settings.arena === false) api.DisableCpuMemArena(sessionOptions);
    if (settings.profilePrefix !== undefined) api.EnableProfiling(sessionOptions, settings.profilePrefix);
    for (const [key, value] of Object.entries(configEntries(settings))) {
      api.AddSessionConfigEntry(sessionOptions, key, value);
    }
    if (settings.operatorDomain !== undefined) api.AddCustomOpDomain(sessionOptions, settings.operatorDomain);
    appendProvider(runtime, sessionOptions, settings.device, settings.providerOptions);
    return sessionOptions;
  } catch (error) {
    api.ReleaseSessionOptions(sessionOptions);
    throw error;
  }
}

function configEntries(settings: SessionSettings): Record<string, string> {
  const entries: Record<string, string> = {
    "session.intra_op.allow_spinning": settings.spinning ? "1" : "0",
  };
  if (settings.spinning) entries["session.intra_op.spin_duration_us"] = String(SPIN_MICROSECONDS);
  if (settings.disabledOptimizers?.length) {
    entries["optimization.disable_specified_optimizers"] = settings.disabledOptimizers.join(";");
  }
  return { ...entries, ...settings.config };
}
