// The `model` of a `tokenizer.json`: which tokens there are, and how a normalised piece of text becomes them.
import { ModelError } from "../errors.ts";
import type { SentencePieceDetails } from "../tokenizer.ts";
import { type BytePairModel, createBytePairEncoder } from "./byte-pair-encoder.ts";
import { createUnigramEncoder, type UnigramModel } from "./unigram-encoder.ts";

/** A vocabulary and its encoder. */
export interface TokenModel {
  readonly idOfToken: ReadonlyMap<string, number>;
  /** The spelling of the unknown token. */
  readonly unknownToken: string | undefined;
  /** The ids of a piece of text that holds no special token, in an array of its own. */
  encode(piece: string): number[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The model of the parsed `tokenizer`.
 *
 * @param sentencePiece given when it is encoded as SentencePiece does
 * @throws ModelError `MODEL_TOKENIZER_INVALID`, or `MODEL_UNSUPPORTED` when it is neither plain BPE nor Unigram
 */
export function createTokenModel(tokenizer: Json, sentencePiece?: SentencePieceDetails): TokenModel {
  const model = tokenizer.model as Json | undefined;
  if (typeof model?.vocab !== "object" || model.vocab === null) {
    throw invalid("model.vocab is missing; fetch the file again");
  }
  const type = model.type ?? (Array.isArray(model.merges) ? "BPE" : undefined);
  if (type === "Unigram") return unigram(model, sentencePiece && Math.fround);
  if (type === "BPE") return bytePair(model, sentencePiece?.mergeRanks);
  throw unsupported(`model type ${JSON.stringify(type)}`);
}

function bytePair(model: Json, mergeRanks: readonly number[] | undefined): TokenModel {
  const odd = ["dropout", "continuing_subword_prefix", "end_of_word_suffix"].find((key) => model[key]);
  if (odd !== undefined) throw unsupported(odd);
  const isMerge = (merge: unknown) =>
    typeof merge === "string" ||
    (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === "string"));
  const isSound =
    Array.isArray(model.merges) &&
    model.merges.every(isMerge) &&
    Object.values(model.vocab as object).every((id) => Number.isSafeInteger(id) && id >= 0);
  if (!isSound) throw invalid("model must have ids in vocab and a list of pairs in merges");
  const plain = model as unknown as BytePairModel;
  return {
    idOfToken: new Map(Object.entries(plain.vocab)),
    unknownToken: plain.unk_token ?? undefined,
    encode: createBytePairEncoder(plain, mergeRanks),
  };
}

function unigram(model: Json, round: ((sum: number) => number) | undefined): TokenModel {
  const isPair = (entry: unknown) =>
    Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
  if (!Array.isArray(model.vocab) || !model.vocab.every(isPair)) {
    throw invalid("model.vocab must be a list of tokens with scores");
  }
  const plain = model as unknown as UnigramModel;
  return {
    idOfToken: new Map(plain.vocab.map(([token], id) => [token, id])),
    unknownToken: typeof plain.unk_id === "number" ? plain.vocab[plain.unk_id]?.[0] : undefined,
    encode: createUnigramEncoder(plain, round),
  };
}

const invalid = (what: string) => new ModelError("MODEL_TOKENIZER_INVALID", `tokenizer.json: ${what}`);

const unsupported = (what: string) =>
  new ModelError(
    "MODEL_UNSUPPORTED",
    `tokenizer.json: ${what} is not supported, only plain BPE and Unigram are`,
  );
