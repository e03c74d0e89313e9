// `flacuna fetch … report` and `reproduce`: the stages of a reproduction, up to the one that is named.
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { AppError } from "../errors.ts";
import { defaultRunFolder } from "../paths.ts";
import { PRESETS } from "../presets.ts";
import { formatTerminal } from "../report/format-terminal.ts";
import { runStages, type StageName } from "../stages/reproduce.ts";

const DESCRIPTIONS: Readonly<Record<StageName | "reproduce", string>> = {
  fetch: "bring the base model, FLAN-MINI and the benchmark files (nano: generate them)",
  prepare: "turn the rows into tokens and labels",
  train: "fine-tune with LoRA",
  merge: "fold the adapter into the base",
  evaluate: "score base and fine-tuned model on MMLU, BBH, DROP, CRASS and HumanEval",
  report: "write report.json, report.md and report.html",
  reproduce: "run every stage and print the table of results",
};

interface Flags {
  readonly preset: string;
  readonly output?: string;
  readonly json?: boolean;
}

/** Adds a command per stage, and `reproduce`. */
export function addStages(program: Command, signal: AbortSignal): void {
  for (const [name, description] of Object.entries(DESCRIPTIONS)) {
    program
      .command(name)
      .description(description)
      .option("--preset <name>", `which reproduction: ${Object.keys(PRESETS).join(", ")}`, "nano")
      .option("--output <folder>", "where the run is written (default apps/flacuna/runs/<preset>)")
      .option("--json", "print the report as JSON")
      .addHelpText(
        "after",
        "\nEarlier stages run first, or are skipped when their results are there. An interrupted run goes on: give the same command again.",
      )
      .action((flags: Flags) => run(name === "reproduce" ? "report" : (name as StageName), flags, signal));
  }
}

async function run(stage: StageName, flags: Flags, signal: AbortSignal): Promise<void> {
  const preset = PRESETS[flags.preset];
  if (preset === undefined) {
    throw new AppError(
      "APP_PRESET_UNKNOWN",
      `--preset ${flags.preset}: expected one of ${Object.keys(PRESETS).join(", ")}`,
    );
  }
  const folder = resolve(flags.output ?? defaultRunFolder(preset.name));
  await mkdir(folder, { recursive: true });
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const report = await runStages({ preset, folder, signal, say }, stage);
  if (report === undefined) return;
  const isTty = process.stdout.isTTY === true;
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : `${formatTerminal(report, { isTty })}\n`,
  );
  say(`report: ${join(folder, "report.html")}`);
}
