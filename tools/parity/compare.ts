// Holds a checkpoint's logits, greedy tokens and log-likelihoods to transformers', on real prompts and in float32.
//
//   npx tsx --conditions=@flacuna/source tools/parity/compare.ts --python PYTHON [--model FOLDER] [--prompts 50] [--tokens 64] [--data FOLDER]
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  createLanguageModel,
  llamaLogits,
  llamaParameterShapes,
  readCheckpoint,
  readTokenizer,
} from "@flacuna/model";
import { compile, dim, spec, Tensor, trace, type Value, weight } from "@flacuna/tensor";
import { readInstructions } from "../bench/instructions.ts";
import { prepareModel } from "../bench/model-folder.ts";
import { relativeDistance } from "../bench/precision-logits.ts";

/** What a prompt is asked to be continued by. */
interface Request {
  readonly prompt: readonly number[];
  readonly continuation: readonly number[];
}

/** What transformers gives for a request. */
interface Reference {
  readonly tokens: readonly number[];
  readonly margins: readonly number[];
  readonly logProb: number;
}

/** Logits this close are a tie: rounding decides. */
const TIE = 1e-3;
const SEED = 1;
const LONGEST_PROMPT = 400;
const LONGEST_CONTINUATION = 32;

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    model: { type: "string" },
    prompts: { type: "string", default: "50" },
    tokens: { type: "string", default: "64" },
    data: { type: "string", default: process.env.FLACUNA_DATA },
  },
});

const log = (line: string) => process.stderr.write(`${line}\n`);
const folder = prepareModel(flags.model, log);
const newTokens = Number(flags.tokens);
const [{ config, weights }, tokenizer] = await Promise.all([readCheckpoint(folder), readTokenizer(folder)]);
const { examples, origin } = await readInstructions(flags.data, 4 * Number(flags.prompts), SEED);
const requests = examples
  .map(({ conversations: [question, answer] }) => ({
    prompt: tokenizer.encode(question!.value),
    continuation: tokenizer.encode(` ${answer!.value}`).slice(0, LONGEST_CONTINUATION),
  }))
  .filter(({ prompt, continuation }) => prompt.length <= LONGEST_PROMPT && continuation.length > 0)
  .slice(0, Number(flags.prompts));
log(`${requests.length} prompts, ${origin}`);

const { references, logits } = await askReference(requests);
report("logits, relative", await logitErrors(requests, logits));

const model = createLanguageModel({ config, weights, tokenizer });
const tokens = await model.generateBatch(
  requests.map(({ prompt }) => prompt),
  { maxNewTokens: newTokens, eosTokenIds: [] },
);
const differing = tokens.flatMap((ids, index) => firstDifference(ids, references[index]!) ?? []);
log(
  `greedy: ${tokens.length - differing.length} of ${tokens.length} prompts have the same ${newTokens} tokens`,
);
for (const margin of differing)
  log(`  another differs where transformers' margin is ${margin.toExponential(1)}`);
const scores = await model.loglikelihood(
  requests.map(({ prompt, continuation }) => ({ contextIds: prompt, continuationIds: continuation })),
);
report(
  "log-likelihoods, nats",
  scores.map(({ logProbNats }, index) => Math.abs(logProbNats - references[index]!.logProb)),
);
await model.dispose();
process.exitCode = differing.some((margin) => margin > TIE) ? 1 : 0;

/** Runs `reference.py`. */
async function askReference(
  asked: readonly Request[],
): Promise<{ references: Reference[]; logits: Float32Array }> {
  const work = await mkdtemp(join(tmpdir(), "parity-"));
  try {
    const path = join(work, "requests.json");
    await writeFile(path, JSON.stringify({ requests: asked, newTokens }));
    const script = fileURLToPath(new URL("reference.py", import.meta.url));
    execFileSync(flags.python, [script, folder, path, work], {
      stdio: ["ignore", process.stderr, "inherit"],
    });
    const references = JSON.parse(await readFile(join(work, "results.json"), "utf8")) as Reference[];
    const bytes = await readFile(join(work, "logits.bin"));
    return { references, logits: new Float32Array(new Uint8Array(bytes).buffer) };
  } finally {
    await rm(work, { recursive: true });
  }
}

/** The distance of each prompt's next-token logits from the reference's, relative to those. */
async function logitErrors(asked: readonly Request[], expected: Float32Array): Promise<number[]> {
  const shapes = llamaParameterShapes(config);
  const parameter = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const program = trace(
    (inputIds) => llamaLogits(config, parameter, { inputIds }),
    [spec("int64", [1, dim("T")])],
  );
  const executable = await compile(program, { weights });
  const V = config.vocabSize;
  const errors: number[] = [];
  for (const [index, { prompt }] of asked.entries()) {
    const value = (await executable.run([Tensor.fromArray("int64", [1, prompt.length], prompt)])) as Value;
    const { data } = await value.toTensor();
    value.dispose();
    const last = (data as Float32Array).subarray((prompt.length - 1) * V);
    errors.push(relativeDistance(last, expected.subarray(index * V, (index + 1) * V)));
  }
  await executable.dispose();
  return errors;
}

/** The reference's margin where the tokens first differ; undefined when they do not. */
function firstDifference(
  ids: readonly number[],
  { tokens: expected, margins }: Reference,
): number | undefined {
  const at = expected.findIndex((token, index) => ids[index] !== token);
  return at < 0 ? undefined : margins[at]!;
}

function report(name: string, errors: readonly number[]): void {
  const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
  log(`${name}: mean ${mean.toExponential(1)}, largest ${Math.max(...errors).toExponential(1)}`);
}
