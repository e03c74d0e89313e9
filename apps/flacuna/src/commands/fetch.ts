// `flacuna fetch`: brings a model by its name, or without one the inputs of a reproduction.
import { type FetchPlan, planFetch } from "@flacuna/model";
import type { Command } from "commander";
import { createProgress, formatBytes } from "../progress.ts";
import { addPresetOptions, type PresetFlags, runPreset } from "./stages.ts";

interface Flags extends PresetFlags {
  readonly revision?: string;
  readonly dryRun?: boolean;
  readonly parallel: string;
}

const HELP = `
A model is a folder or .gguf file of this machine, or on the Hugging Face hub owner/model, owner/model@revision, or
owner/model/file.gguf. It is kept in the hub's own cache; its path is printed on standard output. Only safetensors or one
GGUF, the configuration and the tokenizer are brought, never pickles. Interrupted, it goes on when the same command is
given again.

  HF_TOKEN                  access token, for models that are not public
  HF_ENDPOINT               another hub or a mirror
  HF_HUB_OFFLINE=1          ask nobody: the model must be in the cache
  HF_HOME, HF_HUB_CACHE     where the cache is

Without a model: the inputs of --preset, written to --output.`;

/** Adds the command. */
export function addFetch(program: Command, signal: AbortSignal): void {
  const command = program
    .command("fetch")
    .argument("[model]", "what to bring; without it, the inputs of a preset")
    .description("bring a model; or the base model, FLAN-MINI and the benchmark files of a preset")
    .option("--revision <name>", "branch, tag or commit (default main)")
    .option("--dry-run", "say what would be brought, with sizes, and bring nothing")
    .option("--parallel <n>", "files at a time", "4");
  addPresetOptions(command, {
    output: "a folder to put the model's files in as well; or where the run is written",
    json: "print what was done as JSON",
  })
    .addHelpText("after", HELP)
    .action(async (model: string | undefined, flags: Flags) => {
      if (model === undefined) return runPreset("fetch", flags, signal);
      await fetchModel(model, flags, signal);
    });
}

async function fetchModel(model: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const plan = await planFetch(model, {
    signal,
    ...(flags.revision !== undefined && { revision: flags.revision }),
    ...(flags.output !== undefined && { output: flags.output }),
  });
  for (const note of plan.notes) say(`note: ${note}`);
  const began = performance.now();
  if (flags.dryRun !== true) await carryOut(model, plan, flags, signal);
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(
    flags.json === true ? formatJson(model, plan, flags, seconds) : formatText(plan, flags),
  );
}

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

async function carryOut(model: string, plan: FetchPlan, flags: Flags, signal: AbortSignal): Promise<void> {
  const total = sum(plan.files.map(({ sizeBytes }) => sizeBytes));
  const start = sum(plan.files.map(({ presentBytes }) => presentBytes));
  const bar = createProgress(`fetch ${model}`, total, { start, format: formatBytes });
  try {
    await plan.run({
      signal,
      parallel: Number(flags.parallel),
      onProgress: ({ doneBytes }) => bar.update(doneBytes),
      onWait: () => say("another process is fetching this model; waiting for it"),
    });
  } finally {
    bar.stop();
    if (signal.aborted) say("what has come is kept: give the same command again and it goes on from there");
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** The path alone, for a script to take up; before that, of a dry run, each file with what is missing of it. */
function formatText({ files, path }: FetchPlan, { dryRun }: Flags): string {
  if (dryRun !== true) return `${path}\n`;
  const missing = files.map(({ sizeBytes, presentBytes }) => sizeBytes - presentBytes);
  const rows = files.map(({ path: name, sizeBytes }, index) =>
    [formatBytes(sizeBytes).padStart(9), name, missing[index] === 0 ? "(here)" : ""].join("  ").trimEnd(),
  );
  return [...rows, `${formatBytes(sum(missing))} to bring, to ${path}`, ""].join("\n");
}

function formatJson(model: string, plan: FetchPlan, flags: Flags, seconds: number): string {
  const { run: _, ...facts } = plan;
  const result = { model, ...facts, ...(flags.dryRun === true ? { isDryRun: true } : { seconds }) };
  return `${JSON.stringify(result, null, 2)}\n`;
}
