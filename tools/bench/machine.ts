// What the machine is and what it can do at most, from machine.c, compiled on the spot.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("machine.c", import.meta.url));

/** Instruction sets that decide how fast products are. */
const TELLING =
  /^(avx2|fma|avx_vnni|avx512f|avx512_vnni|avx512_bf16|avx512_fp16|amx_\w+|asimddp|i8mm|bf16|sve\w*)$/;

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly instructionSets: readonly string[];
  readonly memoryGib: number;
  /** processes that wanted to run over the last minute; far above 0, the figures are not worth much */
  readonly load: number;
}

/** Thousand millions of operations, or bytes, per second of all threads; null where the processor lacks it. */
export interface Peaks {
  readonly int8: number | null;
  readonly bfloat16: number | null;
  readonly float32: number;
  readonly readBytes: number;
  readonly threads: number;
  /** "tiles" where int8 and bfloat16 were measured on a matrix unit */
  readonly unit: string;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    instructionSets: instructionSets(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0]!,
  };
}

function instructionSets(): string[] {
  try {
    const line = /^(?:flags|Features)\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    return line === null ? [] : line[1]!.split(" ").filter((flag) => TELLING.test(flag));
  } catch {
    return [];
  }
}

/** Measures the peaks; undefined without a C compiler. */
export function measurePeaks(
  threads: number,
  scratch: string,
  log: (line: string) => void,
): Peaks | undefined {
  const program = join(scratch, "machine");
  try {
    execFileSync(process.env["CC"] ?? "cc", ["-O3", "-march=native", "-pthread", SOURCE, "-o", program], {
      stdio: "pipe",
    });
  } catch (error) {
    log(`the machine's peaks are not measured: ${(error as Error).message.split("\n")[0]}`);
    return undefined;
  }
  log("measuring the machine's peaks");
  return JSON.parse(execFileSync(program, [String(threads)], { encoding: "utf8" })) as Peaks;
}
