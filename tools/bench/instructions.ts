// Real instructions from a data folder, in FLAN-MINI's proportions for the sources that are there, or made-up ones.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { apportion, type InstructionExample, numpyPermutation } from "@flacuna/data";
import { madeUpInstructions } from "./made-up-instructions.ts";

/** Instructions and where they are from. */
export interface Instructions {
  readonly examples: readonly InstructionExample[];
  /** for the report: "real: natural-instructions 269, …" */
  readonly origin: string;
}

/** A question and its answer. */
type Pair = readonly [question: string, answer: string];

/** One source: its folder under `instruct/`, its share in thousands of rows of FLAN-MINI, and its reader. */
interface Source {
  readonly folder: string;
  readonly share: number;
  readonly files: RegExp;
  readonly read: (text: string) => Pair[];
}

/** Stanford Alpaca, which FLAN-MINI does not have, counts a little. */
const SOURCES: readonly Source[] = [
  { folder: "natural-instructions", share: 200, files: /^task.*\.json/, read: naturalInstructions },
  { folder: "flan-cot", share: 100, files: /_train\.tsv/, read: chainOfThought },
  { folder: "gpt4-alpaca", share: 52, files: /\.json/, read: alpaca },
  { folder: "code-alpaca", share: 20, files: /alpaca.*\.json(\.gz)?$/, read: alpaca },
  { folder: "alpaca", share: 5, files: /^alpaca.*\.json/, read: alpaca },
];

/**
 * `count` examples in a fixed random order. Without a folder they are made up, and `origin` says so.
 *
 * @param folder holds `instruct/SOURCE/FILE`, files plain or gzip
 */
export async function readInstructions(
  folder: string | undefined,
  count: number,
  seed: number,
): Promise<Instructions> {
  if (folder === undefined)
    return { examples: madeUpInstructions(count, seed), origin: "made up (no --data and no FLACUNA_DATA)" };
  const present = SOURCES.filter((source) => existsSync(join(folder, "instruct", source.folder)));
  if (present.length === 0) throw new Error(`${folder}: no folder instruct/ with a known source in it`);
  const shares = Object.fromEntries(present.map((source) => [source.folder, source.share]));
  const counts = apportion(count, shares);
  const chosen = await Promise.all(
    present.map(async (source) => {
      const examples = await readSource(join(folder, "instruct", source.folder), source);
      return shuffled(examples, seed).slice(0, counts[source.folder]);
    }),
  );
  const origin = present.map(({ folder: name }, index) => `${name} ${chosen[index]!.length}`).join(", ");
  return { examples: shuffled(chosen.flat(), seed + 1), origin: `real: ${origin}` };
}

async function readSource(
  folder: string,
  { files, read, folder: name }: Source,
): Promise<InstructionExample[]> {
  const paths = (await readdir(folder)).filter((file) => files.test(file)).sort();
  const texts = await Promise.all(paths.map((file) => readText(join(folder, file))));
  return texts
    .flatMap((text) => read(text))
    .map(([question, answer], index) => ({
      id: `${name}_${index}`,
      source: name,
      conversations: [
        { from: "human", value: question },
        { from: "gpt", value: answer },
      ],
    }));
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

function alpaca(text: string): Pair[] {
  const records = JSON.parse(text) as { instruction: string; input: string; output: string }[];
  return records.map(({ instruction, input, output }) => [
    input === "" ? instruction : `${instruction}\n${input}`,
    output,
  ]);
}

/** Columns question, answer, rationale; line ends within them are written `\n`. */
function chainOfThought(text: string): Pair[] {
  const rows = text.split("\n").map((line) => line.split("\t").map((cell) => cell.replaceAll("\\n", "\n")));
  return rows.flatMap(([question, answer, rationale]): Pair[] =>
    rationale === undefined ? [] : [[question!, `${rationale}\nTherefore, the answer is ${answer}.`]],
  );
}

function naturalInstructions(text: string): Pair[] {
  const task = JSON.parse(text) as {
    Definition: string[];
    Instances: { input: string; output: string[] }[];
  };
  return task.Instances.map(({ input, output }) => [`${task.Definition[0]}\n\n${input}`, output[0]!]);
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  return Array.from(numpyPermutation(items.length, seed), (index) => items[index]!);
}
