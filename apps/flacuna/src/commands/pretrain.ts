// `flacuna pretrain`: makes the base model of the nano preset from generated text.
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { APP_FOLDER, NANO_BASE_FOLDER } from "../paths.ts";
import { NANO_PRETRAIN } from "../presets.ts";
import { pretrain } from "../pretrain/pretrain.ts";

interface Flags {
  readonly output: string;
  readonly work: string;
  readonly maxSteps?: string;
}

/** Adds the command. */
export function addPretrain(program: Command, signal: AbortSignal): void {
  program
    .command("pretrain")
    .description(
      "make the nano base: generate text, train a tokenizer and a model on it (about an hour on two cores)",
    )
    .option("--output <folder>", "where the checkpoint folder is written", NANO_BASE_FOLDER)
    .option("--work <folder>", "where an interrupted run is kept", join(APP_FOLDER, "runs", "pretrain"))
    .option("--max-steps <n>", "stop after so many updates and write the model as it is then")
    .addHelpText("after", "\nAn interrupted run goes on where it was: give the same command again.")
    .action(async (flags: Flags) => {
      await pretrain(NANO_PRETRAIN, {
        outputFolder: resolve(flags.output),
        workFolder: resolve(flags.work),
        signal,
        ...(flags.maxSteps !== undefined && { maxSteps: Number(flags.maxSteps) }),
      });
    });
}
