import { createBbhTask, createCrassTask, createDropTask, createMmluTask, evaluate, readBbh, readCrass, readDrop, readMmlu } from "@flacuna/eval";
import { loadLanguageModel } from "@flacuna/model";
import { toScoredModel } from "./wiring.ts";
const [, , folder, limit = "100", bench = "/tmp/run2/fetch/benchmarks"] = process.argv as string[];
const tasks = [createMmluTask(await readMmlu(`${bench}/mmlu`)), createBbhTask(await readBbh(`${bench}/bbh`)), createDropTask((await readDrop(`${bench}/drop/drop_dataset_dev.json`)).rows), createCrassTask(await readCrass(`${bench}/crass/CRASS_FTM_main_data_set.csv`))];
const model = await loadLanguageModel(folder!);
const r = await evaluate(toScoredModel(folder!, model), tasks, { limit: Number(limit), batchSize: 64 });
for (const t of r.tasks) { console.log(t.task, (100 * t.score).toFixed(1), "±", (100 * (t.standardError ?? 0)).toFixed(1), "n", t.n, t.groups.map((g) => `${g.name ?? (g as never as { group: string }).group}:${(100 * g.score).toFixed(0)}`).join(" ")); console.log(t.samples.slice(0, 6).map((s) => JSON.stringify(s.prediction) + "/" + s.gold).join("  ")); }
await model.dispose();
