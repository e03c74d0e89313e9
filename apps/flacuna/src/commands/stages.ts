// `flacuna prepare … report` and `reproduce`: the stages of a reproduction, up to the one that is named.
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { AppError } from "../errors.ts";
import { defaultRunFolder } from "../paths.ts";
import { PRESETS, type Preset } from "../presets.ts";
import { formatTerminal } from "../report/format-terminal.ts";
import { runStages, STAGES, type StageName } from "../stages/reproduce.ts";
import { type GenerationPrecision, precisionOption } from "./precision-option.ts";

const DESCRIPTIONS: Readonly<Record<Exclude<StageName, "fetch"> | "reproduce", string>> = {
  prepare: "turn the rows into tokens and labels",
  train: "fine-tune with LoRA",
  merge: "fold the adapter into the base",
  evaluate: "score base and fine-tuned model on MMLU, BBH, DROP, CRASS and HumanEval",
  report: "write report.json, report.md and report.html",
  reproduce: "run every stage and print the table of results",
};

/** Flags of whatever runs stages of a preset. */
export interface PresetFlags {
  readonly preset: string;
  readonly output?: string;
  readonly json?: boolean;
  /** Of whatever evaluates. */
  readonly precision?: GenerationPrecision;
}

/** Adds the options of whatever runs stages of a preset. */
export function addPresetOptions(
  command: Command,
  { output, json }: { readonly output: string; readonly json: string },
): Command {
  return command
    .option("--preset <name>", `which reproduction: ${Object.keys(PRESETS).join(", ")}`, "nano")
    .option("--output <folder>", `${output} (default apps/flacuna/runs/<preset>)`)
    .option("--json", json);
}

/** Adds a command per stage but the first, and `reproduce`. */
export function addStages(program: Command, signal: AbortSignal): void {
  for (const [name, description] of Object.entries(DESCRIPTIONS)) {
    const last = name === "reproduce" ? "report" : (name as StageName);
    const command = addPresetOptions(program.command(name).description(description), {
      output: "where the run is written",
      json: "print the report as JSON",
    })
      .addHelpText(
        "after",
        "\nEarlier stages run first, or are skipped when their results are there. An interrupted run goes on: give the same command again.",
      )
      .action((flags: PresetFlags) => runPreset(last, flags, signal));
    if (STAGES.indexOf(last) >= STAGES.indexOf("evaluate")) command.addOption(precisionOption());
  }
}

/** Runs the stages of a preset up to and with `stage`, and prints the report if that is the last. */
export async function runPreset(stage: StageName, flags: PresetFlags, signal: AbortSignal): Promise<void> {
  const preset = presetOf(flags);
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

/**
 * The preset that the flags name, evaluated in the precision that they say.
 *
 * @throws AppError `APP_PRESET_UNKNOWN`
 */
export function presetOf({ preset: name, precision = "float32" }: PresetFlags): Preset {
  const preset = PRESETS[name];
  if (preset === undefined) {
    const known = Object.keys(PRESETS).join(", ");
    throw new AppError("APP_PRESET_UNKNOWN", `--preset ${name}: expected one of ${known}`);
  }
  // What is evaluated in float32 has the key that it had without the flag: it is taken up, not done again.
  return precision === "float32" ? preset : { ...preset, evaluate: { ...preset.evaluate, precision } };
}
