#!/usr/bin/env node
// The command line: parse arguments, choose a command, turn an error into one line and an exit code. No logic.
import { Command } from "commander";
import { addChat } from "./commands/chat.ts";
import { addFetch } from "./commands/fetch.ts";
import { addPretrain } from "./commands/pretrain.ts";
import { addServe } from "./commands/serve.ts";
import { addStages } from "./commands/stages.ts";

const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("interrupted")));
process.once("SIGTERM", () => abort.abort(new Error("terminated")));

const program = new Command("flacuna")
  .description(
    "Reproduce Flacuna (arXiv 2307.02053): fine-tune a chat model on FLAN-MINI with LoRA, score it, serve it.",
  )
  .showHelpAfterError();
addFetch(program, abort.signal);
addStages(program, abort.signal);
addPretrain(program, abort.signal);
addChat(program, abort.signal);
addServe(program);

try {
  await program.parseAsync();
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  process.stderr.write(`flacuna: ${code === undefined ? "" : `${code}: `}${message}\n`);
  process.exitCode = abort.signal.aborted ? 130 : 1;
}
