// `flacuna serve`: an OpenAI-compatible server over one or several checkpoint folders.
import { basename, resolve } from "node:path";
import { loadLanguageModel } from "@flacuna/model";
import { buildApp, listen } from "@flacuna/serve";
import type { Command } from "commander";
import { modelPath } from "../model-path.ts";
import { toTextGenerator } from "../wiring.ts";
import { type GenerationPrecision, precisionOption } from "./precision-option.ts";

interface Flags {
  readonly model: readonly string[];
  readonly host: string;
  readonly port: string;
  readonly precision: GenerationPrecision;
}

/** Adds the command. */
export function addServe(program: Command): void {
  program
    .command("serve")
    .description("serve checkpoint folders over the OpenAI API (/v1/chat/completions, /v1/completions)")
    .requiredOption(
      "--model <model...>",
      "checkpoint folders or models that were fetched, each named after its last part, or name=folder",
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <n>", "port to listen on", "8000")
    .addOption(precisionOption())
    .addHelpText("after", "\nKeys: set FLACUNA_API_KEYS to a comma-separated list to require one of them.")
    .action(async (flags: Flags) => {
      const models = new Map(
        await Promise.all(
          flags.model.map(async (each) => {
            const [name, folder] = each.includes("=") ? each.split("=", 2) : [basename(resolve(each)), each];
            const model = await loadLanguageModel(await modelPath(folder!), { precision: flags.precision });
            return [name!, model] as const;
          }),
        ),
      );
      const apiKeys = process.env.FLACUNA_API_KEYS?.split(",").filter(Boolean) ?? [];
      const app = await buildApp({
        generator: toTextGenerator(models),
        // As many as a model advances in one step.
        maxConcurrent: 32,
        ...(apiKeys.length > 0 && { apiKeys }),
      });
      const server = await listen(app, { host: flags.host, port: Number(flags.port) });
      process.stderr.write(`serving ${[...models.keys()].join(", ")} at ${server.url}\n`);
      await server.closed;
      await Promise.all([...models.values()].map((model) => model.dispose()));
    });
}
