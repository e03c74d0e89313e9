// Finds and reads the files of a tokenizer, whichever kind a checkpoint brings. Encodes nothing.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ModelError } from "../errors.ts";
import { readJsonObject } from "../read-json.ts";
import type { TokenizerFiles } from "../tokenizer.ts";
import { findGguf } from "../weights/find-gguf.ts";
import { readGguf } from "../weights/gguf.ts";
import { tokenizerFilesFromGguf } from "./gguf-tokenizer.ts";
import { parseSentencePieceModel } from "./sentencepiece-model.ts";
import { sentencePieceFiles } from "./sentencepiece-tokenizer.ts";
import { addedToken } from "./tokenizer-json.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * The tokenizer's files at `path`: a GGUF file, or a folder with `tokenizer.json`, else `tokenizer.model`, else one GGUF
 * file.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`, `MODEL_TOKENIZER_INVALID`, `MODEL_UNSUPPORTED`, as `readGguf` for a GGUF file
 */
export async function readTokenizerFiles(path: string): Promise<TokenizerFiles> {
  const isFile = await stat(path).then(
    (place) => place.isFile(),
    () => false,
  );
  if (isFile) return tokenizerFilesFromGguf(await readGguf(path));
  const [tokenizer, model] = [await readJson(path, "tokenizer.json"), await readModel(path)];
  if (tokenizer !== undefined || model !== undefined) {
    const beside = await readFilesBeside(path);
    return tokenizer === undefined ? withSentencePiece(model!, path, beside) : { tokenizer, ...beside };
  }
  const gguf = await findGguf(path);
  if (gguf !== undefined) return tokenizerFilesFromGguf(await readGguf(gguf));
  throw new ModelError(
    "MODEL_FILE_UNREADABLE",
    `${path} has no tokenizer.json, no tokenizer.model and no GGUF file; fetch the files of its tokenizer`,
    { details: { folder: path } },
  );
}

const readJson = (folder: string, name: string) =>
  readJsonObject(join(folder, name), "MODEL_TOKENIZER_INVALID");

/** The bytes of `tokenizer.model`, or undefined when there is none. */
async function readModel(folder: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(join(folder, "tokenizer.model"));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ModelError("MODEL_FILE_UNREADABLE", `${folder}: tokenizer.model cannot be read`, { cause });
  }
}

type FilesBeside = Omit<TokenizerFiles, "tokenizer" | "sentencePiece">;

async function readFilesBeside(folder: string): Promise<FilesBeside> {
  const generation = await readJson(folder, "generation_config.json");
  const ends = [generation?.eos_token_id].flat();
  return {
    config: await readJson(folder, "tokenizer_config.json"),
    specialTokensMap: await readJson(folder, "special_tokens_map.json"),
    chatTemplate: await readFile(join(folder, "chat_template.jinja"), "utf8").catch(() => undefined),
    endTokenIds: ends.filter((id) => typeof id === "number"),
  };
}

/** The files of a folder that has a `tokenizer.model` and, as older checkpoints do, no `tokenizer.json`. */
async function withSentencePiece(
  bytes: Uint8Array,
  folder: string,
  beside: FilesBeside,
): Promise<TokenizerFiles> {
  const model = parseSentencePieceModel(bytes, join(folder, "tokenizer.model"));
  const { config = {}, specialTokensMap = {} } = beside;
  const files = sentencePieceFiles(
    { ...model, addsPrefix: model.addsPrefix && config.add_prefix_space !== false },
    { addsBos: config.add_bos_token !== false, prefixesOnlyFirst: config.legacy === false },
  );
  const added = [
    ...(files.tokenizer.added_tokens as readonly { readonly id: number }[]),
    ...addedTokens(await readJson(folder, "added_tokens.json"), config),
  ];
  return {
    ...beside,
    ...files,
    tokenizer: {
      ...files.tokenizer,
      added_tokens: [...new Map(added.map((token) => [token.id, token])).values()],
    },
    // Early conversions name their special tokens "": what the model says holds then.
    config: { ...files.config, ...named(specialTokensMap), ...named(config) },
    specialTokensMap: undefined,
  };
}

/** Tokens beyond the model's own: by name in `added_tokens.json`, by id in newer configurations. */
function addedTokens(byName: Json | undefined, config: Json): { readonly id: number }[] {
  const byId = Object.entries((config.added_tokens_decoder ?? {}) as Json);
  return [
    ...Object.entries(byName ?? {}).map(([content, id]) => addedToken(id as number, content, true)),
    ...byId.map(([id, token]) => ({ ...(token as Json), id: Number(id) })),
  ];
}

/** What has a value. */
const named = (values: Json): Json =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
