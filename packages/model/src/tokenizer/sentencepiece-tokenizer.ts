// A SentencePiece model as Hugging Face's tokenizer files. Reads no file and encodes nothing.
import type { SentencePieceDetails, TokenizerFiles } from "../tokenizer.ts";
import type { Piece, SentencePieceModel } from "./sentencepiece-model.ts";
import { TOKEN_KIND } from "./token-kinds.ts";
import {
  addedToken,
  beginWith,
  bytePairModel,
  replace,
  replacePattern,
  tokenizerJson,
} from "./tokenizer-json.ts";

/** What a model does not say of itself. */
export interface SentencePieceOptions {
  /** Texts begin with the beginning of sequence. */
  readonly addsBos: boolean;
  /** The user's own tokens end a stretch of text as control tokens do, as in GGUF files; else they lie within it. */
  readonly userDefinedAreAdded?: boolean;
  /** Only the text as a whole begins with a space, not what follows a special token (`legacy` is false). */
  readonly prefixesOnlyFirst?: boolean;
}

const SPACE_MARK = "▁";

/** Two pieces that are a piece together. */
type MergedPair = readonly [left: string, right: string];

/** The files of `model`: `tokenizer` as `tokenizer.json`, `config` with its special tokens. */
export function sentencePieceFiles(model: SentencePieceModel, options: SentencePieceOptions): TokenizerFiles {
  const { pieces } = model;
  const { userDefinedAreAdded = false } = options;
  const bos = pieces[model.bosId];
  const scored = model.algorithm === "bpe" ? scoredMerges(pieces) : undefined;
  return {
    tokenizer: tokenizerJson({
      added_tokens: pieces.flatMap(({ text, kind }, id) => {
        const isSpecial = kind === TOKEN_KIND.control || kind === TOKEN_KIND.unknown;
        const isAdded = isSpecial || (userDefinedAreAdded && kind === TOKEN_KIND.userDefined);
        return isAdded ? [addedToken(id, text, isSpecial)] : [];
      }),
      normalizer: normalizer(model, options),
      pre_tokenizer: preTokenizer(model, options),
      post_processor: options.addsBos && bos ? beginWith(model.bosId, bos.text) : null,
      decoder: decoder(model),
      model: scored ? scoredBytePairModel(model, scored.merges) : unigramModel(model),
    }),
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      add_bos_token: options.addsBos,
      bos_token: bos?.text,
      eos_token: pieces[model.eosId]?.text,
      unk_token: pieces[model.unkId]?.text,
      pad_token: pieces[model.padId]?.text,
      clean_up_tokenization_spaces: false,
    },
    sentencePiece: {
      userDefined: userDefinedAreAdded ? [] : userDefinedTokens(pieces),
      ...(scored && { mergeRanks: scored.ranks }),
    },
  };
}

function normalizer(model: SentencePieceModel, options: SentencePieceOptions): unknown {
  const normalizers: unknown[] = [];
  if (model.charsmap.length > 0) {
    const precompiled_charsmap = Buffer.from(model.charsmap).toString("base64");
    normalizers.push({ type: "Precompiled", precompiled_charsmap });
  }
  const space = model.escapesSpaces ? SPACE_MARK : " ";
  if (model.removesExtraSpaces) normalizers.push(replacePattern("\\A +", ""), replacePattern(" {2,}", " "));
  if (model.addsPrefix && !options.prefixesOnlyFirst) normalizers.push({ type: "Prepend", prepend: space });
  if (model.escapesSpaces) normalizers.push(replace(" ", SPACE_MARK));
  // After the escaping: SentencePiece drops the marks of a text with its spaces.
  if (model.removesExtraSpaces) normalizers.push(replacePattern(`${space}+\\z`, ""));
  return normalizers.length === 0 ? null : { type: "Sequence", normalizers };
}

function preTokenizer(model: SentencePieceModel, { prefixesOnlyFirst }: SentencePieceOptions): unknown {
  if (!prefixesOnlyFirst || !model.addsPrefix) return null;
  return { type: "Metaspace", replacement: SPACE_MARK, prepend_scheme: "first", split: false };
}

function decoder(model: SentencePieceModel): unknown {
  return {
    type: "Sequence",
    decoders: [
      ...(model.escapesSpaces ? [replace(SPACE_MARK, " ")] : []),
      ...(model.byteFallback ? [{ type: "ByteFallback" }] : []),
      { type: "Fuse" },
      ...(model.addsPrefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
    ],
  };
}

const scoredBytePairModel = (model: SentencePieceModel, merges: readonly MergedPair[]) =>
  bytePairModel({
    vocab: Object.fromEntries(model.pieces.map(({ text }, id) => [text, id])),
    merges,
    unk_token: model.pieces[model.unkId]?.text,
    fuse_unk: true,
    byte_fallback: model.byteFallback,
  });

const unigramModel = (model: SentencePieceModel) => ({
  type: "Unigram",
  unk_id: model.unkId,
  vocab: model.pieces.map(({ text, score }) => [text, score]),
  byte_fallback: model.byteFallback,
});

/**
 * Every pair of pieces that is a piece together, in falling score of that piece, as conversions write them; and a rank
 * for each: SentencePiece merges pairs of equal score from left to right.
 */
function scoredMerges(pieces: readonly Piece[]): { merges: MergedPair[]; ranks: number[] } {
  const idOf = new Map<string, number>();
  for (const [id, { text, kind }] of pieces.entries()) {
    if (kind === TOKEN_KIND.normal || kind === TOKEN_KIND.unused) idOf.set(text, id);
  }
  const order = ([left, right]: MergedPair) => idOf.get(left)! * pieces.length + idOf.get(right)!;
  const found: { readonly pair: MergedPair; readonly score: number }[] = [];
  for (const [text, id] of idOf) {
    const pairs = splits(text).filter(([left, right]) => idOf.has(left) && idOf.has(right));
    for (const pair of pairs.sort((a, b) => order(a) - order(b))) {
      found.push({ pair, score: pieces[id]!.score });
    }
  }
  found.sort((a, b) => b.score - a.score);
  let rank = 0;
  const ranks = found.map(({ score }, i) => {
    if (i > 0 && score !== found[i - 1]!.score) rank++;
    return rank;
  });
  return { merges: found.map(({ pair }) => pair), ranks };
}

/** `text` cut in two between any two of its characters. */
function splits(text: string): MergedPair[] {
  const pairs: MergedPair[] = [];
  for (let at = 1; at < text.length; at++) {
    const isInsideCharacter = (text.charCodeAt(at) & 0xfc00) === 0xdc00;
    if (!isInsideCharacter) pairs.push([text.slice(0, at), text.slice(at)]);
  }
  return pairs;
}

const userDefinedTokens = (pieces: readonly Piece[]): SentencePieceDetails["userDefined"] =>
  pieces.flatMap(({ text, kind }, id) => (kind === TOKEN_KIND.userDefined ? [{ id, content: text }] : []));
