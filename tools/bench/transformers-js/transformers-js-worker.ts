// transformers.js in a process of its own: obeys `load` and `generate` of ../generate/protocol.ts. The folder that holds
// the package is the argument; it is none of our dependencies, so what is used of it is declared here.
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { answerCommands } from "../answer-commands.ts";
import type { Generate, GenerateAnswer, LoadTransformers } from "../generate/protocol.ts";

interface Model {
  generate(options: Readonly<Record<string, unknown>>): Promise<unknown>;
  dispose(): Promise<unknown>;
}

interface TransformersJs {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly AutoModelForCausalLM: {
    from_pretrained(name: string, options: Readonly<Record<string, unknown>>): Promise<Model>;
  };
  readonly Tensor: new (type: string, data: BigInt64Array, shape: readonly number[]) => object;
}

const home = join(process.argv[2]!, "node_modules/@huggingface/transformers");
const entry = pathToFileURL(join(home, "dist/transformers.node.mjs")).href;
const { env, AutoModelForCausalLM, Tensor } = (await import(entry)) as TransformersJs;
const { version } = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as { version: string };

let model: Model | undefined;

async function load({ model: folder, dtype, threads }: LoadTransformers): Promise<object> {
  await model?.dispose();
  env.allowRemoteModels = false;
  env.localModelPath = dirname(folder);
  model = await AutoModelForCausalLM.from_pretrained(basename(folder), {
    dtype,
    device: "cpu",
    local_files_only: true,
    session_options: { intraOpNumThreads: threads },
  });
  return {};
}

async function generate(loaded: Model, { prompts, newTokens }: Generate): Promise<GenerateAnswer> {
  const shape = [prompts.length, prompts[0]!.length];
  const ids = BigInt64Array.from(prompts.flat(), BigInt);
  const arrivals: number[] = [];
  const started = performance.now();
  let isPrompt = true;
  await loaded.generate({
    inputs: new Tensor("int64", ids, shape),
    attention_mask: new Tensor(
      "int64",
      ids.map(() => 1n),
      shape,
    ),
    max_new_tokens: newTokens,
    // No end of sequence before that.
    min_new_tokens: newTokens,
    do_sample: false,
    streamer: {
      put: () => {
        if (!isPrompt) arrivals.push((performance.now() - started) / 1e3);
        isPrompt = false;
      },
      end: () => {},
    },
  });
  return { arrivals: prompts.map(() => arrivals) };
}

await answerCommands<LoadTransformers | Generate>(
  { versions: { "transformers.js": version } },
  async (command) => {
    if (command.command === "load") return load(command);
    if (model === undefined) throw new Error("nothing is loaded");
    return generate(model, command);
  },
);
