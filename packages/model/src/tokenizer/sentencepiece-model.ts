// SentencePiece's own file, `tokenizer.model`: pieces with scores and how text is normalised. Encodes nothing.
import { ModelError } from "../errors.ts";
import { wireFields } from "./protobuf.ts";
import { TOKEN_KIND } from "./token-kinds.ts";

/** One token of the vocabulary; its id is its place. */
export interface Piece {
  readonly text: string;
  /** BPE: pairs that make a piece of higher score are merged first. Unigram: its logarithmic probability. */
  readonly score: number;
  /** One of `TOKEN_KIND`. */
  readonly kind: number;
}

/** What a `tokenizer.model` says. */
export interface SentencePieceModel {
  readonly algorithm: "bpe" | "unigram";
  readonly pieces: readonly Piece[];
  /** Characters that are not in the vocabulary become the tokens of their bytes. */
  readonly byteFallback: boolean;
  readonly unkId: number;
  /** −1 where there is none, as for the next two. */
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /** SentencePiece's compiled rules that rewrite characters; empty for none. */
  readonly charsmap: Uint8Array;
  /** A text begins with a space. */
  readonly addsPrefix: boolean;
  /** Spaces at the ends go, runs of them become one. */
  readonly removesExtraSpaces: boolean;
  /** Spaces are written `▁` in the vocabulary. */
  readonly escapesSpaces: boolean;
}

/** What a model is that says nothing. */
export const SENTENCEPIECE_DEFAULTS: SentencePieceModel = {
  algorithm: "unigram",
  pieces: [],
  byteFallback: false,
  unkId: 0,
  bosId: 1,
  eosId: 2,
  padId: -1,
  charsmap: new Uint8Array(0),
  addsPrefix: true,
  removesExtraSpaces: true,
  escapesSpaces: true,
};

type Settings = { -readonly [K in keyof SentencePieceModel]?: SentencePieceModel[K] };

/**
 * The model in the bytes of a `tokenizer.model`.
 *
 * @param path what messages begin with
 * @throws ModelError `MODEL_TOKENIZER_INVALID`; `MODEL_UNSUPPORTED` for tiktoken's files, which have the same name, and
 * for models of words or characters
 * @see sentencepiece_model.proto for the numbers of the fields
 */
export function parseSentencePieceModel(bytes: Uint8Array, path: string): SentencePieceModel {
  if (/^[A-Za-z0-9+/=]+ \d+\n/.test(Buffer.from(bytes.subarray(0, 200)).toString("latin1"))) {
    throw unsupported(
      path,
      "it is a file of tiktoken; use the tokenizer.json of the model's conversion to Hugging Face",
    );
  }
  try {
    return readModel(bytes, path);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw invalid(path, `it is no SentencePiece model, or damaged: ${cause.message}; fetch it again`, cause);
  }
}

function readModel(bytes: Uint8Array, path: string): SentencePieceModel {
  const pieces: Piece[] = [];
  let settings: Settings = {};
  for (const field of wireFields(bytes)) {
    if (field.number === 1) pieces.push(readPiece(field.bytes));
    if (field.number === 2) settings = { ...settings, ...readTraining(field.bytes, path) };
    if (field.number === 3) settings = { ...settings, ...readNormalization(field.bytes) };
  }
  const model = { ...SENTENCEPIECE_DEFAULTS, ...settings, pieces };
  if (pieces[model.unkId]?.kind !== TOKEN_KIND.unknown) {
    throw invalid(path, "it has no unknown token, so it is no SentencePiece model; fetch it again");
  }
  return model;
}

function readPiece(bytes: Uint8Array): Piece {
  let piece: Piece = { text: "", score: 0, kind: TOKEN_KIND.normal };
  for (const field of wireFields(bytes)) {
    if (field.number === 1) piece = { ...piece, text: Buffer.from(field.bytes).toString("utf8") };
    if (field.number === 2) piece = { ...piece, score: float32(field.bytes) };
    if (field.number === 3) piece = { ...piece, kind: field.integer };
  }
  return piece;
}

const ALGORITHMS: readonly (SentencePieceModel["algorithm"] | undefined)[] = [undefined, "unigram", "bpe"];

function readTraining(bytes: Uint8Array, path: string): Settings {
  const settings: Settings = {};
  for (const { number, integer } of wireFields(bytes)) {
    if (number === 3) {
      const algorithm = ALGORITHMS[integer];
      if (algorithm === undefined) throw unsupported(path, "its pieces are words or characters");
      settings.algorithm = algorithm;
    }
    if (number === 24 && integer !== 0) throw unsupported(path, "its pieces end with their spaces");
    if (number === 35) settings.byteFallback = integer !== 0;
    if (number === 40) settings.unkId = integer;
    if (number === 41) settings.bosId = integer;
    if (number === 42) settings.eosId = integer;
    if (number === 43) settings.padId = integer;
  }
  return settings;
}

function readNormalization(bytes: Uint8Array): Settings {
  const settings: Settings = {};
  for (const field of wireFields(bytes)) {
    if (field.number === 2) settings.charsmap = field.bytes;
    if (field.number === 3) settings.addsPrefix = field.integer !== 0;
    if (field.number === 4) settings.removesExtraSpaces = field.integer !== 0;
    if (field.number === 5) settings.escapesSpaces = field.integer !== 0;
  }
  return settings;
}

function float32(bytes: Uint8Array): number {
  if (bytes.length !== 4) throw new RangeError("a score is not of 4 bytes");
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

function invalid(path: string, message: string, cause?: unknown): ModelError {
  return new ModelError("MODEL_TOKENIZER_INVALID", `${path}: ${message}`, { cause, details: { path } });
}

function unsupported(path: string, message: string): ModelError {
  return new ModelError("MODEL_UNSUPPORTED", `${path}: ${message}`, { details: { path } });
}
