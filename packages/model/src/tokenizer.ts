// Encode, decode and incremental decode as a checkpoint's `tokenizer.json` says; the only file that imports `tokenizers`.
// That package normalises, splits and decodes; its encoding is asynchronous, so the pairs are merged by our own encoder.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer as Pipeline } from "tokenizers";
import { ModelError } from "./errors.ts";
import { readJsonObject } from "./read-json.ts";
import { type AddedToken, createAddedTokenSplitter } from "./tokenizer/added-tokens.ts";
import { type BytePairModel, createBytePairEncoder } from "./tokenizer/byte-pair-encoder.ts";
import { createIncrementalDecoder, type IncrementalDecoder } from "./tokenizer/incremental-decoder.ts";

/** How to encode. */
export interface EncodeOptions {
  /** Begin with the beginning-of-sequence token. Default: as the checkpoint says, which is true for LLaMA. */
  readonly addBos?: boolean;
}

/** How to decode. */
export interface DecodeOptions {
  /** Leave out `<s>`, `</s>` and their like. Default false. */
  readonly skipSpecialTokens?: boolean;
}

/** Text to token ids and back; synchronous, and safe to share. */
export interface Tokenizer {
  /** One more than the largest id. A checkpoint's embedding table may be larger, never smaller. */
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number;
  /** The padding token, else the unknown token (as Vicuna pads), else the end of sequence. */
  readonly padTokenId: number;
  /** Jinja source of the checkpoint's chat template, when it brings one. */
  readonly chatTemplate: string | undefined;
  /**
   * Ids of `text`. Special tokens spelled out in the text become their ids, and each stretch between them is encoded on
   * its own: LLaMA's legacy behaviour, in which every stretch gets its own leading space.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /** `encode` of each text. */
  encodeBatch(texts: readonly string[], options?: EncodeOptions): number[][];
  /** Text of `ids`; LLaMA's drops one leading space. Ids without a token are left out. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** A decoder for ids that arrive one by one. */
  incrementalDecoder(options?: DecodeOptions): IncrementalDecoder;
  /** The id of `token`, spelled as in the vocabulary. */
  tokenToId(token: string): number | undefined;
  /** The spelling of `id` in the vocabulary. */
  idToToken(id: number): string | undefined;
}

/** The parsed files of a tokenizer; only the first is needed. */
export interface TokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** `tokenizer_config.json` */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** `special_tokens_map.json`, read where the configuration names no token */
  readonly specialTokensMap?: Readonly<Record<string, unknown>> | undefined;
  /** `chat_template.jinja`, which goes before a template in the configuration */
  readonly chatTemplate?: string | undefined;
}

/**
 * Reads the tokenizer of the checkpoint in `folder`.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`, `MODEL_TOKENIZER_INVALID`, or `MODEL_UNSUPPORTED` when its model is not BPE
 */
export async function readTokenizer(folder: string): Promise<Tokenizer> {
  const read = (name: string) => readJsonObject(join(folder, name), "MODEL_TOKENIZER_INVALID");
  const tokenizer = await read("tokenizer.json");
  if (tokenizer === undefined) {
    throw new ModelError(
      "MODEL_FILE_UNREADABLE",
      `${folder} has no tokenizer.json; if it has a tokenizer.model, convert it with transformers: ` +
        "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)",
      { details: { folder } },
    );
  }
  return createTokenizer({
    tokenizer,
    config: await read("tokenizer_config.json"),
    specialTokensMap: await read("special_tokens_map.json"),
    chatTemplate: await readFile(join(folder, "chat_template.jinja"), "utf8").catch(() => undefined),
  });
}

/**
 * The tokenizer that parsed `files` describe.
 *
 * @throws ModelError `MODEL_TOKENIZER_INVALID`, or `MODEL_UNSUPPORTED` when its model is not BPE
 */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const model = bytePairModel(files.tokenizer);
  const addedTokens = addedTokensOf(files.tokenizer);
  const vocabulary = createVocabulary(model, addedTokens);
  const specials = resolveSpecialTokens(files, model, vocabulary.idOfToken);
  const split = createAddedTokenSplitter(addedTokens);
  const encodeSegment = createSegmentEncoder(files.tokenizer, model);
  const decodeTokens = createTokenDecoder(files.tokenizer);
  const specialIds = new Set(addedTokens.filter(({ special }) => special).map(({ id }) => id));

  function encode(text: string, { addBos = specials.addsBos }: EncodeOptions = {}): number[] {
    const ids = addBos && specials.bosTokenId !== undefined ? [specials.bosTokenId] : [];
    let isFirst = true;
    for (const segment of split(text)) {
      if (typeof segment === "number") ids.push(segment);
      else for (const id of encodeSegment(segment, isFirst)) ids.push(id);
      isFirst = false;
    }
    return ids;
  }

  function decode(ids: readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string {
    const kept = skipSpecialTokens ? ids.filter((id) => !specialIds.has(id)) : ids;
    return decodeTokens(kept.flatMap((id) => vocabulary.tokenOfId[id] ?? []));
  }

  return {
    vocabSize: vocabulary.tokenOfId.length,
    bosTokenId: specials.bosTokenId,
    eosTokenId: specials.eosTokenId,
    padTokenId: specials.padTokenId,
    chatTemplate: files.chatTemplate ?? chatTemplateOf(files.config),
    encode,
    encodeBatch: (texts, options) => texts.map((text) => encode(text, options)),
    decode,
    incrementalDecoder: (options) => createIncrementalDecoder((ids) => decode(ids, options)),
    tokenToId: (token) => vocabulary.idOfToken.get(token),
    idToToken: (id) => vocabulary.tokenOfId[id],
  };
}

function addedTokensOf(tokenizer: Readonly<Record<string, unknown>>): readonly AddedToken[] {
  const tokens = tokenizer.added_tokens ?? [];
  const isToken = (token: Partial<AddedToken> | null) =>
    typeof token?.content === "string" && Number.isSafeInteger(token.id) && token.id! >= 0;
  if (!Array.isArray(tokens) || !tokens.every(isToken)) {
    throw new ModelError(
      "MODEL_TOKENIZER_INVALID",
      "tokenizer.json: added_tokens must be a list of { id, content }",
    );
  }
  return tokens;
}

function bytePairModel(tokenizer: Readonly<Record<string, unknown>>): BytePairModel {
  const model = tokenizer.model as (BytePairModel & Record<string, unknown>) | undefined;
  if (typeof model?.vocab !== "object" || model.vocab === null) {
    throw new ModelError(
      "MODEL_TOKENIZER_INVALID",
      "tokenizer.json: model.vocab is missing; fetch the file again",
    );
  }
  const type = model.type ?? (Array.isArray(model.merges) ? "BPE" : undefined);
  const unsupported =
    type !== "BPE"
      ? `model type ${JSON.stringify(type)}`
      : ["dropout", "continuing_subword_prefix", "end_of_word_suffix"].find((key) => model[key]);
  if (unsupported !== undefined) {
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `tokenizer.json: ${unsupported} is not supported, only plain BPE is`,
    );
  }
  const isSound =
    Array.isArray(model.merges) &&
    Object.values(model.vocab).every((id) => Number.isSafeInteger(id) && id >= 0);
  if (!isSound) {
    throw new ModelError(
      "MODEL_TOKENIZER_INVALID",
      "tokenizer.json: model must have ids in vocab and a list of merges",
    );
  }
  return model;
}

interface Vocabulary {
  readonly idOfToken: ReadonlyMap<string, number>;
  readonly tokenOfId: readonly (string | undefined)[];
}

function createVocabulary(model: BytePairModel, addedTokens: readonly AddedToken[]): Vocabulary {
  const idOfToken = new Map(Object.entries(model.vocab));
  for (const { content, id } of addedTokens) idOfToken.set(content, id);
  const tokenOfId: (string | undefined)[] = [];
  for (const [token, id] of idOfToken) tokenOfId[id] = token;
  return { idOfToken, tokenOfId };
}

/** Normalises, splits into words and encodes one stretch of text without added tokens. */
function createSegmentEncoder(
  tokenizer: Readonly<Record<string, unknown>>,
  model: BytePairModel,
): (text: string, isFirst: boolean) => number[] {
  const encodePiece = createBytePairEncoder(model);
  const normalizer = pipeline(tokenizer).getNormalizer();
  const first = pipeline(tokenizer).getPreTokenizer();
  const later = pipeline(withoutFirstPrefix(tokenizer)).getPreTokenizer();
  return (text, isFirst) => {
    const normal = normalizer === null ? text : normalizer.normalizeString(text);
    const splitter = isFirst ? first : later;
    if (splitter === null) return encodePiece(normal);
    return splitter.preTokenizeString(normal).flatMap(([piece]) => encodePiece(piece));
  };
}

function createTokenDecoder(tokenizer: Readonly<Record<string, unknown>>): (tokens: string[]) => string {
  const decoder = pipeline(tokenizer).getDecoder();
  return decoder === null ? (tokens) => tokens.join(" ") : (tokens) => decoder.decode(tokens);
}

/** The foreign tokenizer's normaliser, splitter and decoder, with an empty vocabulary: its encoding is not used. */
function pipeline(tokenizer: Readonly<Record<string, unknown>>): Pipeline {
  const { normalizer = null, pre_tokenizer = null, decoder = null } = tokenizer;
  const model = { type: "BPE", vocab: {}, merges: [] };
  try {
    return Pipeline.fromString(
      JSON.stringify({
        version: "1.0",
        added_tokens: [],
        normalizer,
        pre_tokenizer,
        post_processor: null,
        decoder,
        model,
      }),
    );
  } catch (cause) {
    throw new ModelError("MODEL_TOKENIZER_INVALID", `tokenizer.json: ${(cause as Error).message}`, { cause });
  }
}

/** The same tokenizer for a stretch that does not begin the text: "first" prefixes a space only at the beginning. */
function withoutFirstPrefix(tokenizer: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const text = JSON.stringify(tokenizer.pre_tokenizer ?? null);
  return {
    ...tokenizer,
    pre_tokenizer: JSON.parse(text, (key, value) =>
      key === "prepend_scheme" && value === "first" ? "never" : value,
    ),
  };
}

interface SpecialTokens {
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number;
  readonly padTokenId: number;
  readonly addsBos: boolean;
}

function resolveSpecialTokens(
  files: TokenizerFiles,
  model: BytePairModel,
  idOfToken: ReadonlyMap<string, number>,
): SpecialTokens {
  const { config = {}, specialTokensMap = {} } = files;
  const isNamed = files.config !== undefined || files.specialTokensMap !== undefined;
  const idOf = (key: string, usual: string | null | undefined): number | undefined => {
    const name =
      tokenContent(config[key]) ?? tokenContent(specialTokensMap[key]) ?? (isNamed ? undefined : usual);
    return typeof name === "string" ? idOfToken.get(name) : undefined;
  };
  const bosTokenId = idOf("bos_token", "<s>");
  const eosTokenId = idOf("eos_token", "</s>");
  if (eosTokenId === undefined) {
    throw new ModelError(
      "MODEL_TOKENIZER_INVALID",
      "no end-of-sequence token: tokenizer_config.json or special_tokens_map.json must name one in the vocabulary as eos_token",
    );
  }
  const padTokenId = idOf("pad_token", null) ?? idOf("unk_token", model.unk_token) ?? eosTokenId;
  const addsBos =
    typeof config.add_bos_token === "boolean"
      ? config.add_bos_token
      : postProcessorAddsBos(files, bosTokenId);
  return { bosTokenId, eosTokenId, padTokenId, addsBos };
}

/** Special tokens are written as a string or as an object with `content`. */
function tokenContent(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

function postProcessorAddsBos(files: TokenizerFiles, bosTokenId: number | undefined): boolean {
  interface Processor {
    readonly processors?: readonly Processor[];
    readonly single?: readonly { readonly SpecialToken?: { readonly id: string } }[];
    readonly special_tokens?: Readonly<Record<string, { readonly ids: readonly number[] }>>;
  }
  const starts = (processor: Processor | null | undefined): boolean => {
    const name = processor?.single?.[0]?.SpecialToken?.id;
    const ids = name === undefined ? undefined : processor?.special_tokens?.[name]?.ids;
    return ids?.[0] === bosTokenId && ids !== undefined ? true : (processor?.processors ?? []).some(starts);
  };
  return starts(files.tokenizer.post_processor as Processor | null | undefined);
}

/** A configuration holds one template, or several by name. */
function chatTemplateOf(config: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const value = config?.chat_template;
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { readonly name?: string; readonly template?: string }[];
  return (named.find(({ name }) => name === "default") ?? named[0])?.template;
}
