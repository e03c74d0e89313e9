// Encode, decode and incremental decode as a checkpoint's `tokenizer.json` says; the only file that imports `tokenizers`.
// That package normalises, splits and decodes; its encoding is asynchronous, so tokens are found by our own encoders.
import { Tokenizer as Pipeline } from "tokenizers";
import { ModelError } from "./errors.ts";
import { type AddedToken, createAddedTokenSplitter } from "./tokenizer/added-tokens.ts";
import { createCharsmap } from "./tokenizer/charsmap.ts";
import { formatForeignParts } from "./tokenizer/foreign-parts.ts";
import { createIncrementalDecoder, type IncrementalDecoder } from "./tokenizer/incremental-decoder.ts";
import { createTokenBytes } from "./tokenizer/token-bytes.ts";
import { createTokenModel, type TokenModel } from "./tokenizer/token-model.ts";
import { readTokenizerFiles } from "./tokenizer/tokenizer-files.ts";

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
  /** The tokens that end an answer: the end of sequence, and those of turns and messages that the checkpoint names. */
  readonly endTokenIds: readonly number[];
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
  /** The bytes that `id` stands for in a text; undefined for special tokens and for ids without a token. */
  tokenBytes(id: number): Uint8Array | undefined;
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
  /** Tokens that end an answer besides the end of sequence, as `generation_config.json` has them. */
  readonly endTokenIds?: readonly number[];
  /** Of a SentencePiece model, what `tokenizer.json` has no words for. */
  readonly sentencePiece?: SentencePieceDetails;
}

/** How SentencePiece encodes, where Hugging Face's format would have it otherwise. */
export interface SentencePieceDetails {
  /** Tokens found in the normalised text before anything else, which end no stretch of it. */
  readonly userDefined: readonly AddedToken[];
  /** BPE: the rank of each merge, where several have the same. */
  readonly mergeRanks?: readonly number[];
}

/**
 * Reads the tokenizer at `path`: that of a checkpoint's folder (`tokenizer.json`, else `tokenizer.model`, else the one
 * GGUF file), or that in a GGUF file.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`; `MODEL_TOKENIZER_INVALID`; `MODEL_UNSUPPORTED` when it is neither BPE nor
 * Unigram; as `readGguf` for a GGUF file
 */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  return createTokenizer(await readTokenizerFiles(path));
}

/**
 * The tokenizer that parsed `files` describe.
 *
 * @throws ModelError `MODEL_TOKENIZER_INVALID`, or `MODEL_UNSUPPORTED` when its model is neither BPE nor Unigram
 */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const model = createTokenModel(files.tokenizer, files.sentencePiece);
  const addedTokens = addedTokensOf(files.tokenizer);
  const vocabulary = createVocabulary(model, addedTokens);
  const specials = resolveSpecialTokens(files, model, vocabulary.idOfToken);
  const split = createAddedTokenSplitter(addedTokens);
  const encodeSegment = createSegmentEncoder(files, model);
  const decodeTokens = createTokenDecoder(files.tokenizer);
  const bytesOf = createTokenBytes(files.tokenizer.decoder);
  const specialIds = new Set(addedTokens.filter(({ special }) => special).map(({ id }) => id));
  // Early conversions name the beginning of sequence and the unknown token as ends.
  const isEnd = (id: number) =>
    specialIds.has(id) && id !== specials.bosTokenId && id !== specials.unkTokenId;
  const ends = new Set([specials.eosTokenId, ...(files.endTokenIds ?? []).filter(isEnd)]);

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
    endTokenIds: [...ends],
    padTokenId: specials.padTokenId,
    chatTemplate: files.chatTemplate ?? chatTemplateOf(files.config),
    encode,
    encodeBatch: (texts, options) => texts.map((text) => encode(text, options)),
    decode,
    incrementalDecoder: (options) => createIncrementalDecoder((ids) => decode(ids, options)),
    tokenToId: (token) => vocabulary.idOfToken.get(token),
    idToToken: (id) => vocabulary.tokenOfId[id],
    tokenBytes(id) {
      const token = vocabulary.tokenOfId[id];
      return token === undefined || specialIds.has(id) ? undefined : bytesOf(token);
    },
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

interface Vocabulary {
  readonly idOfToken: ReadonlyMap<string, number>;
  readonly tokenOfId: readonly (string | undefined)[];
}

function createVocabulary(model: TokenModel, addedTokens: readonly AddedToken[]): Vocabulary {
  const idOfToken = new Map(model.idOfToken);
  for (const { content, id } of addedTokens) idOfToken.set(content, id);
  const tokenOfId: (string | undefined)[] = [];
  for (const [token, id] of idOfToken) tokenOfId[id] = token;
  return { idOfToken, tokenOfId };
}

/** Normalises, splits into words and encodes one stretch of text without added tokens. */
function createSegmentEncoder(
  { tokenizer, sentencePiece }: TokenizerFiles,
  model: TokenModel,
): (text: string, isFirst: boolean) => number[] {
  const encodePiece = withUserDefined(sentencePiece?.userDefined ?? [], model.encode);
  const normalize = createNormalizer(tokenizer.normalizer as Normalizer | null | undefined);
  const { pre_tokenizer } = tokenizer;
  const first = pipeline({ pre_tokenizer }).getPreTokenizer();
  const later = pipeline({ pre_tokenizer: withoutFirstPrefix(pre_tokenizer) }).getPreTokenizer();
  return (text, isFirst) => {
    const normal = normalize(text);
    const splitter = isFirst ? first : later;
    if (splitter === null) return encodePiece(normal);
    return splitter.preTokenizeString(normal).flatMap(([piece]) => encodePiece(piece));
  };
}

interface Normalizer {
  readonly type: string;
  readonly normalizers?: readonly Normalizer[];
  readonly precompiled_charsmap?: string | null;
}

/** SentencePiece's rules for characters, which come first, are ours; the rest is the foreign tokenizer's. */
function createNormalizer(normalizer: Normalizer | null | undefined): (text: string) => string {
  const [first, ...others] = normalizer?.type === "Sequence" ? (normalizer.normalizers ?? []) : [normalizer];
  const hasRules = first?.type === "Precompiled";
  const foreign = hasRules ? { type: "Sequence", normalizers: others } : normalizer;
  const rest = pipeline({ normalizer: foreign }).getNormalizer();
  const normalizeRest = (text: string) => (rest === null ? text : rest.normalizeString(text));
  if (!hasRules) return normalizeRest;
  const rewrite = createCharsmap(Buffer.from(first.precompiled_charsmap ?? "", "base64"));
  return (text) => normalizeRest(rewrite(text));
}

/** `encode`, after the user's own tokens have been cut out of the normalised text. */
function withUserDefined(
  tokens: readonly AddedToken[],
  encode: (piece: string) => number[],
): (piece: string) => number[] {
  if (tokens.length === 0) return encode;
  const split = createAddedTokenSplitter(tokens);
  return (piece) => split(piece).flatMap((part) => (typeof part === "number" ? [part] : encode(part)));
}

function createTokenDecoder(tokenizer: Readonly<Record<string, unknown>>): (tokens: string[]) => string {
  const decoder = pipeline({ decoder: tokenizer.decoder }).getDecoder();
  return decoder === null ? (tokens) => tokens.join(" ") : (tokens) => decoder.decode(tokens);
}

/** Some of the foreign tokenizer's normaliser, splitter and decoder, with an empty vocabulary: its encoding is not used. */
function pipeline(parts: {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly decoder?: unknown;
}): Pipeline {
  const { normalizer = null, pre_tokenizer = null, decoder = null } = parts;
  const model = { type: "BPE", vocab: {}, merges: [] };
  const plain = { version: "1.0", added_tokens: [], post_processor: null, model };
  const json = formatForeignParts({ ...plain, normalizer, pre_tokenizer, decoder });
  try {
    return Pipeline.fromString(json);
  } catch (cause) {
    throw new ModelError("MODEL_TOKENIZER_INVALID", `tokenizer.json: ${(cause as Error).message}`, { cause });
  }
}

/** The same splitter for a stretch that does not begin the text: "first" prefixes a space only at the beginning. */
function withoutFirstPrefix(preTokenizer: unknown): unknown {
  return JSON.parse(JSON.stringify(preTokenizer ?? null), (key, value) =>
    key === "prepend_scheme" && value === "first" ? "never" : value,
  );
}

interface SpecialTokens {
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number;
  readonly unkTokenId: number | undefined;
  readonly padTokenId: number;
  readonly addsBos: boolean;
}

function resolveSpecialTokens(
  files: TokenizerFiles,
  model: TokenModel,
  idOfToken: ReadonlyMap<string, number>,
): SpecialTokens {
  const { config = {}, specialTokensMap = {} } = files;
  const isNamed = files.config !== undefined || files.specialTokensMap !== undefined;
  const idOf = (key: string, usual: string | undefined): number | undefined => {
    // Early conversions of LLaMA name their tokens "".
    const isUsual = !isNamed || config[key] === "" || specialTokensMap[key] === "";
    const name =
      tokenContent(config[key]) || tokenContent(specialTokensMap[key]) || (isUsual ? usual : undefined);
    return name === undefined ? undefined : idOfToken.get(name);
  };
  const bosTokenId = idOf("bos_token", "<s>");
  const eosTokenId = idOf("eos_token", "</s>");
  if (eosTokenId === undefined) {
    throw new ModelError(
      "MODEL_TOKENIZER_INVALID",
      "no end-of-sequence token: tokenizer_config.json or special_tokens_map.json must name one in the vocabulary as eos_token",
    );
  }
  const unkTokenId = idOf("unk_token", model.unknownToken);
  const padTokenId = idOf("pad_token", undefined) ?? unkTokenId ?? eosTokenId;
  const addsBos =
    typeof config.add_bos_token === "boolean"
      ? config.add_bos_token
      : postProcessorAddsBos(files, bosTokenId);
  return { bosTokenId, eosTokenId, unkTokenId, padTokenId, addsBos };
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
