// The kinds of tokens in a SentencePiece model, by the numbers that its file and a GGUF file give them.

/** What a token is for. */
export const TOKEN_KIND = {
  normal: 1,
  /** Stands for what nothing else does. */
  unknown: 2,
  /** Begins and ends sequences and turns; never comes from encoding a text. */
  control: 3,
  /** Found in a text as it stands, before anything else. */
  userDefined: 4,
  unused: 5,
  /** One byte of a character that is not in the vocabulary. */
  byte: 6,
} as const;
