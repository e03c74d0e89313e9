// transformers.js once, for reference: a prompt read and tokens decoded by one sequence, weights of 4 bits.
import type { LoadTransformers } from "../generate/protocol.ts";
import type { GenerateSetup } from "../generate/setup.ts";
import { openWorker } from "../generate/sides.ts";
import { type SideResult, takeTurns } from "../generate/take-turns.ts";
import { workloads } from "../generate/workload.ts";
import { preparePython } from "../peer-environment.ts";
import { prepareTransformersJs } from "./prepare.ts";

const DTYPE = "q4";
const MEASURED = ["prefill 512", "decode"] as const;

/** Results by the names of the workloads; undefined, with the reason in the log, where it cannot be run. */
export async function measureTransformersJs(
  setup: GenerateSetup,
): Promise<Record<string, SideResult> | undefined> {
  const { model, threads, options, prompts, log } = setup;
  try {
    const transformersJs = await prepareTransformersJs(model, preparePython(options.python, log), log);
    const load: LoadTransformers = { command: "load", model: transformersJs.model, dtype: DTYPE, threads };
    const results: Record<string, SideResult> = {};
    for (const name of MEASURED) {
      const workload = workloads(options).find((each) => each.name === name)!;
      const nextPrompts = () => prompts.take(1, workload.promptTokens);
      const side = await openWorker(`transformers.js ${DTYPE}`, await transformersJs.start(), load, workload);
      try {
        const [result] = await takeTurns([side], options.rounds, nextPrompts, log);
        results[name] = result!;
      } finally {
        await side.stop();
      }
    }
    return results;
  } catch (error) {
    log(`transformers.js was not measured: ${(error as Error).message}`);
    return undefined;
  }
}
