// Which of a model's files are needed: its weights in a form that runs no code, its configuration, its tokenizer.
import { ModelError } from "../errors.ts";

/** A file of a repository or folder. */
export interface ListedFile {
  /** from the repository's or folder's root, with slashes */
  readonly path: string;
  readonly sizeBytes: number;
}

/** What is known besides the names. */
export interface WantedOptions {
  readonly choice?: string | undefined;
  readonly shards?: ReadonlySet<string> | undefined;
}

/** What is read beside the weights. */
const SIDE_FILES: ReadonlySet<string> = new Set([
  "config.json",
  "generation_config.json",
  "model.safetensors.index.json",
  "adapter_config.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
]);

const SHARD = /^model-\d+-of-\d+\.safetensors$/;
const SPLIT_GGUF = /-\d+-of-\d+\.gguf$/;
const PICKLE = /\.(bin|pt|pth|ckpt|pkl)$/;

/**
 * The files to bring, of those at the root.
 *
 * @param where for messages: the repository or folder
 * @param options.choice one file in place of the choice made here; a GGUF, where there are several
 * @param options.shards the names of the shards, where their index has been read
 * @throws ModelError `MODEL_UNSUPPORTED` where there are only pickles or a GGUF in parts, `MODEL_NOT_FOUND` where there
 * are no weights at all, `MODEL_INVALID_ARGUMENT` where one of several GGUF files must be chosen
 */
export function wantedFiles<File extends ListedFile>(
  files: readonly File[],
  where: string,
  { choice, shards }: WantedOptions = {},
): readonly File[] {
  if (choice !== undefined) return [chosenFile(files, where, choice)];
  const weights = safetensors(files, (path) => shards?.has(path) ?? SHARD.test(path));
  if (weights.length > 0) return [...files.filter(({ path }) => SIDE_FILES.has(path)), ...weights];
  const ggufs = files.filter(({ path }) => /^[^/]+\.gguf$/.test(path));
  if (ggufs.length === 1) return [chosenFile(files, where, ggufs[0]!.path)];
  if (ggufs.length > 1) throw manyGgufs(ggufs, where);
  throw noWeights(files, where);
}

/** The whole model in one file or in shards, or an adapter. */
function safetensors<File extends ListedFile>(
  files: readonly File[],
  isShard: (path: string) => boolean,
): readonly File[] {
  const named = (name: string) => files.filter(({ path }) => path === name);
  const whole = named("model.safetensors");
  const shards = whole.length > 0 ? [] : files.filter(({ path }) => isShard(path));
  return [...whole, ...shards, ...named("adapter_model.safetensors")];
}

function chosenFile<File extends ListedFile>(files: readonly File[], where: string, choice: string): File {
  if (PICKLE.test(choice)) throw onlyPickles(where, choice);
  if (SPLIT_GGUF.test(choice)) {
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `${where}: ${choice} is one part of a GGUF, and only whole ones are read; join the parts with llama.cpp's llama-gguf-split --merge`,
    );
  }
  const file = files.find(({ path }) => path === choice);
  if (file === undefined) throw new ModelError("MODEL_NOT_FOUND", `${where} has no file ${choice}`);
  return file;
}

function manyGgufs(ggufs: readonly ListedFile[], where: string): ModelError {
  const list = ggufs.map(({ path, sizeBytes }) => `  ${path} (${(sizeBytes / 1e6).toFixed(0)} MB)`);
  return new ModelError(
    "MODEL_INVALID_ARGUMENT",
    [`${where} holds several GGUF files; name one after the model's name and a slash:`, ...list].join("\n"),
    { details: { files: ggufs.map(({ path }) => path) } },
  );
}

function noWeights(files: readonly ListedFile[], where: string): ModelError {
  const pickle = files.find(({ path }) => PICKLE.test(path) && !path.includes("/"));
  if (pickle !== undefined) return onlyPickles(where, pickle.path);
  return new ModelError(
    "MODEL_NOT_FOUND",
    `${where} has no weights that are read here: no model.safetensors, no shards of one, no .gguf`,
  );
}

function onlyPickles(where: string, path: string): ModelError {
  return new ModelError(
    "MODEL_UNSUPPORTED",
    `${where} has its weights as Python pickles (${path}), which can run any code when they are read, and are refused. ` +
      "Take a revision or a repository with safetensors, or convert them where you trust them, with transformers: " +
      "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(out, safe_serialization=True)",
    { details: { path } },
  );
}
