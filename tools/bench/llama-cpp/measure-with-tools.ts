// A workload measured by llama.cpp's own benchmarks: llama-bench for one sequence, llama-batched-bench for several.
import type { LlamaSettings } from "../generate/protocol.ts";
import type { Measured, Workload } from "../generate/workload.ts";
import type { LlamaCpp } from "./build.ts";
import { jsonLines, runTool } from "./run-tool.ts";

/** One turn of a program, which loads the model and warms up before it measures. */
export interface ToolMeasured extends Measured {
  readonly peakBytes: number | undefined;
}

/** A line of llama-bench. */
interface BenchLine {
  readonly avg_ts: number;
}

/** A line of llama-batched-bench: tokens per second of everything, and of the new tokens alone. */
interface BatchedLine {
  readonly speed: number;
  readonly speed_tg: number;
}

/** llama.cpp's largest batch by default; a prompt is handed over in pieces of this many tokens. */
const LOGICAL_BATCH = 2048;

/** Runs the program that fits `workload` on the GGUF file `model`. */
export async function measureWithTools(
  { programs }: LlamaCpp,
  model: string,
  settings: LlamaSettings,
  workload: Workload,
): Promise<ToolMeasured> {
  const { threads, flashAttention, batchSize } = settings;
  const logical = String(Math.max(LOGICAL_BATCH, batchSize));
  const common = ["-m", model, "-t", String(threads), "-b", logical, "-ub", String(batchSize)];
  const attention = ["-fa", flashAttention ? "on" : "off"];
  if (workload.kind === "throughput") {
    const cache = settings.unifiedCache ? ["--kv-unified"] : [];
    const args = [...common, ...attention, ...cache, ...batchedArguments(workload)];
    const { stdout, peakBytes } = await runTool(programs["llama-batched-bench"], args);
    const { speed, speed_tg } = only(jsonLines<BatchedLine>(stdout));
    return { tokensPerSecond: speed, generatedPerSecond: speed_tg, peakBytes };
  }
  const args = [...common, ...attention, ...benchArguments(workload)];
  const { stdout, peakBytes } = await runTool(programs["llama-bench"], args);
  return { tokensPerSecond: only(jsonLines<BenchLine>(stdout)).avg_ts, peakBytes };
}

/** New tokens come after a cache as full as ours is then. */
function benchArguments({ kind, promptTokens, newTokens }: Workload): string[] {
  const tokens =
    kind === "prefill"
      ? ["-p", String(promptTokens), "-n", "0"]
      : ["-p", "0", "-n", String(newTokens), "-d", String(promptTokens)];
  return [...tokens, "-r", "1", "-o", "jsonl"];
}

function batchedArguments({ sequences, promptTokens, newTokens }: Workload): string[] {
  const context = String(sequences * (promptTokens + newTokens));
  const lengths = ["-npp", String(promptTokens), "-ntg", String(newTokens), "-npl", String(sequences)];
  return ["-c", context, ...lengths, "--output-format", "jsonl"];
}

function only<T>(lines: readonly T[]): T {
  if (lines.length !== 1)
    throw new Error(`a program of llama.cpp gave ${lines.length} results instead of one`);
  return lines[0]!;
}
