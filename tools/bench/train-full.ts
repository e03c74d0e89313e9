// `pnpm bench train-full`: all weights of a small model trained in float32, ours against PyTorch, by turns.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readTokenizer } from "@flacuna/model";
import { alternate, type SideResult } from "./alternate.ts";
import { readInstructions } from "./instructions.ts";
import { prepareModel } from "./model-folder.ts";
import { preparePython } from "./peer-environment.ts";
import type { Batch, PeerSettings, Training } from "./protocol.ts";
import { batchesOf, fullRows, padTokenOf, tokenizeRows } from "./rows.ts";
import { median, relativeDifferences, significant } from "./statistics.ts";
import { Worker } from "./worker.ts";

const USAGE = `pnpm bench train-full [options]
  --model DIR    checkpoint folder (default: SmolLM2-135M-Instruct, made once by tools/smollm2.ts)
  --data DIR     folder with instruct/SOURCE/… (default: FLACUNA_DATA; without either, text is made up)
  --python PATH  Python with torch and transformers (default: a virtual environment that is made once)
  --threads N    threads of both sides (default: the cores)
  --rounds N     turns of each side, of one step (default 5)`;

const LENGTH = 512;
const BATCH_SIZES = [1, 2] as const;
const WARM_UP_STEPS = 1;
const EXAMPLES = 300;
const SEED = 20231;

const PEER: PeerSettings = { dtype: "float32", attention: "sdpa", adapterDtype: "float32", compile: false };

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const toGib = (bytes: number | undefined): number | null =>
  bytes === undefined ? null : significant(bytes / 2 ** 30);

/** What is trained, and by which Python the peer is run. */
interface Setup {
  readonly training: Training;
  readonly python: string;
  readonly rounds: number;
  batches(batchSize: number): readonly Batch[];
}

/** Measures both batch sizes; the last line on standard output is JSON. */
export async function benchTrainFull(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const setup = await prepare(args);
  const ratio: number[] = [];
  const peaks: (readonly (number | undefined)[])[] = [];
  for (const batchSize of BATCH_SIZES) {
    const sides = await measure(setup, batchSize);
    const [ours, peer] = sides.map(({ seconds }) => median(seconds)) as [number, number];
    const distance = Math.max(...relativeDifferences(sides[0]!.losses, sides[1]!.losses));
    ratio.push(significant(peer / ours));
    peaks.push(sides.map(({ peakBytes }) => peakBytes));
    process.stdout.write(
      `${batchSize}x${LENGTH}: ours ${ours.toFixed(2)} s, PyTorch ${peer.toFixed(2)} s a step; ` +
        `${(peer / ours).toFixed(2)} times as fast; losses differ by ${distance.toExponential(1)} at most; ` +
        `other side's processor time at most ${Math.max(...sides.map(({ othersBusy }) => othersBusy)).toFixed(2)} cores\n`,
    );
  }
  const peakGib = [0, 1].map((side) => toGib(peaks.map((each) => each[side]).reduce(larger)));
  process.stdout.write(`${JSON.stringify({ ratio, peakGib })}\n`);
}

const larger = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : Math.max(a, b);

async function prepare(args: readonly string[]): Promise<Setup> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      data: { type: "string" },
      python: { type: "string" },
      threads: { type: "string", default: String(availableParallelism()) },
      rounds: { type: "string", default: "5" },
    },
  });
  const rounds = Number(values.rounds);
  const threads = Number(values.threads);
  if (![rounds, threads].every((each) => Number.isInteger(each) && each > 0))
    throw new Error("--rounds and --threads: expected whole numbers from 1");
  const model = prepareModel(values.model, log);
  const tokenizer = await readTokenizer(model);
  const data = values.data ?? (process.env["FLACUNA_DATA"] || undefined);
  const { examples, origin } = await readInstructions(data, EXAMPLES, SEED);
  log(`instructions: ${origin}`);
  const rows = await tokenizeRows(examples, tokenizer, LENGTH);
  return {
    training: { model, adapter: "", learningRate: 1e-5, threads },
    python: preparePython(values.python, log),
    rounds,
    batches: (batchSize) =>
      batchesOf(
        fullRows(rows, LENGTH, batchSize * (WARM_UP_STEPS + rounds)),
        batchSize,
        padTokenOf(tokenizer),
      ),
  };
}

/** Ours and the peer, each in a fresh process. */
async function measure(
  { training, python, rounds, batches }: Setup,
  batchSize: number,
): Promise<SideResult[]> {
  const all = batches(batchSize);
  const workers: Worker[] = [];
  const start = async (
    command: string,
    file: readonly string[],
    settings: PeerSettings | { precision: string },
  ) => {
    const worker = await Worker.start(command, file);
    workers.push(worker);
    await worker.load(training, settings);
    await worker.train(all.slice(0, WARM_UP_STEPS));
    return worker;
  };
  const turns = Array.from({ length: rounds }, (_, round) => [all[WARM_UP_STEPS + round]!]);
  try {
    const ours = await start(process.execPath, [...process.execArgv, pathOf("ours-train-full.ts")], {
      precision: "float32",
    });
    const peer = await start(python, [pathOf("peer/peer-train-full.py")], PEER);
    return await alternate(
      [
        { name: "ours", worker: ours, turns },
        { name: "PyTorch", worker: peer, turns },
      ],
      log,
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}
