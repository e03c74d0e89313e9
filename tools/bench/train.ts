// `pnpm bench train`: fine-tuning of a small model with LoRA, ours against PyTorch with transformers and PEFT.
import { type BenchSetup, loadOurs, withSetup } from "./bench-setup.ts";
import { measureCurves } from "./loss-curve.ts";
import { describeMachine, measurePeaks } from "./machine.ts";
import { parseOptions, USAGE } from "./options.ts";
import { shapedBatches, tryPeer } from "./peer-trials.ts";
import type { OperatorTime } from "./profile-step.ts";
import type { PeerSettings } from "./protocol.ts";
import { measureRealData } from "./real-data.ts";
import { measureSpeed, type SpeedResult } from "./speed.ts";
import { formatReport, type TrainBenchResults, toSummary } from "./train-report.ts";

/** Runs the parts that are asked for; the last line on standard output is JSON. */
export async function benchTrain(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const options = parseOptions(args, process.env);
  const machine = describeMachine();
  const started = performance.now();
  const results = await withSetup(options, async (setup): Promise<TrainBenchResults> => {
    const { parts } = options;
    const { threads } = setup.training;
    const peaks = parts.has("machine") ? measurePeaks(threads, setup.scratch, setup.log) : undefined;
    const speeds = await measureSpeeds(setup);
    const operators = parts.has("profile") ? await profile(setup) : undefined;
    const curves = parts.has("curve") ? await measureCurves(setup) : undefined;
    const real = parts.has("real")
      ? await measureRealData(setup, await bestSettings(setup, speeds))
      : undefined;
    const { precision, precisions, versions, dataOrigin } = setup;
    return {
      machine,
      versions,
      dataOrigin,
      precision,
      precisions,
      threads,
      isQuick: options.isQuick,
      speeds,
      hasSpeed: parts.has("speed"),
      ...(peaks && { peaks }),
      ...(operators && { operators }),
      ...(curves && { curves }),
      ...(real && { real }),
    };
  });
  const seconds = (performance.now() - started) / 1e3;
  process.stdout.write(`${formatReport(results)}\n\n${seconds.toFixed(0)} s in all\n`);
  process.stdout.write(`${JSON.stringify(toSummary(results))}\n`);
}

/** Memory comes with speed; memory alone needs one turn of each side. */
async function measureSpeeds(setup: BenchSetup): Promise<SpeedResult[]> {
  const { parts, shapes, amounts, compile } = setup.options;
  const hasSpeed = parts.has("speed");
  if (!hasSpeed && !parts.has("memory")) return [];
  const results: SpeedResult[] = [];
  for (const shape of shapes) {
    results.push(
      await measureSpeed(
        setup,
        shape,
        hasSpeed ? { rounds: amounts.rounds, compile } : { rounds: 1, compile: false },
      ),
    );
  }
  return results;
}

/** The peer's best at the first shape. */
async function bestSettings(setup: BenchSetup, speeds: readonly SpeedResult[]): Promise<PeerSettings> {
  return speeds[0]?.best ?? (await tryPeer(setup, setup.options.shapes[0]!))[0]!.settings;
}

async function profile(setup: BenchSetup): Promise<readonly OperatorTime[]> {
  setup.log("profiling one step of ours");
  const worker = await loadOurs(setup, setup.precision);
  try {
    const [batch] = shapedBatches(setup, setup.options.shapes[0]!, 1);
    const answer = await worker.ask({
      command: "profile",
      batch: batch!,
      prefix: `${setup.scratch}/profile`,
    });
    return (answer as { readonly operators: readonly OperatorTime[] }).operators;
  } finally {
    await worker.stop();
  }
}
