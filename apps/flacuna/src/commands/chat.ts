// `flacuna chat`: a conversation with a checkpoint on the terminal.

import { createInterface } from "node:readline/promises";
import { type LanguageModel, loadLanguageModel } from "@flacuna/model";
import type { Command } from "commander";
import { chatPrompt } from "../chat-prompt.ts";
import { modelPath } from "../model-path.ts";
import { NANO_BASE_FOLDER } from "../paths.ts";
import { type GenerationPrecision, precisionOption } from "./precision-option.ts";

interface Flags {
  readonly model: string;
  readonly temperature: string;
  readonly maxTokens: string;
  readonly seed: string;
  readonly precision: GenerationPrecision;
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: string;
}

/** Adds the command. */
export function addChat(program: Command, signal: AbortSignal): void {
  program
    .command("chat")
    .description("talk with a model; an empty line or Ctrl-D ends")
    .option("--model <model>", "checkpoint folder, or the name of a model that was fetched", NANO_BASE_FOLDER)
    .option("--temperature <t>", "0 for the likeliest token each time", "0")
    .option("--max-tokens <n>", "longest answer", "200")
    .option("--seed <n>", "decides all draws", "0")
    .addOption(precisionOption())
    .action(async (flags: Flags) => {
      const model = await loadLanguageModel(await modelPath(flags.model), { precision: flags.precision });
      await converse(model, flags, signal);
      await model.dispose();
    });
}

async function converse(model: LanguageModel, flags: Flags, signal: AbortSignal): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const turns: Turn[] = [];
  process.stdout.write("> ");
  for await (const line of terminal) {
    if (line.trim() === "" || signal.aborted) break;
    turns.push({ role: "user", content: line });
    turns.push({ role: "assistant", content: await answer(model, turns, flags, signal) });
    process.stdout.write("\n> ");
  }
  terminal.close();
}

async function answer(
  model: LanguageModel,
  turns: readonly Turn[],
  flags: Flags,
  signal: AbortSignal,
): Promise<string> {
  const promptIds = model.tokenizer.encode(chatPrompt(model, turns));
  const decoder = model.tokenizer.incrementalDecoder({ skipSpecialTokens: true });
  let text = "";
  const show = (piece: string) => {
    text += piece;
    process.stdout.write(piece);
  };
  const options = {
    maxNewTokens: Number(flags.maxTokens),
    temperature: Number(flags.temperature),
    seed: Number(flags.seed),
    signal,
  };
  for await (const id of model.generate(promptIds, options)) show(decoder.push(id));
  show(decoder.flush());
  return text;
}
