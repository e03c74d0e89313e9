// The tokenizer this package asks for; implementations live elsewhere.

/** A LLaMA tokenizer in legacy mode. */
export interface Tokenizer {
  /**
   * The ids of a text, BOS first. Special tokens written in the text (`</s>`) become their ids, and each segment
   * between them is encoded on its own, with its own dummy prefix space.
   */
  encode(text: string): readonly number[] | Promise<readonly number[]>;
  /** The id that fills rows to a common length; LLaMA's is that of `<unk>`, 0. */
  readonly padTokenId: number;
  /** Ids are 0 … vocabSize − 1. */
  readonly vocabSize: number;
}
