// A reproduction small enough for a test, run up to the merged model in a process of its own: argv is the run's folder and, to pack rows, `packed`.
import { NANO } from "../presets.ts";
import { runStages } from "../stages/reproduce.ts";

const [folder, packed] = process.argv.slice(2);
const source = { ...NANO.source, rows: 120, chats: 4 } as typeof NANO.source;
const preset = {
  ...NANO,
  source,
  train: {
    ...NANO.train,
    microBatchSize: packed ? 1 : 4,
    accumulationSteps: 2,
    epochs: 1,
    maxLength: 128,
    saveEvery: 3,
    packing: packed !== undefined,
  },
};
await runStages(
  { preset, folder: folder!, signal: new AbortController().signal, say: () => undefined },
  "merge",
);
