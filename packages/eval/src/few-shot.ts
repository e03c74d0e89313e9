// How many exemplars fit into a prompt. What they say is each task's own.

/** A prompt and the number of exemplars it kept. */
export interface FittedPrompt {
  readonly prompt: string;
  readonly shots: number;
  /** Longer than allowed even without exemplars; it is passed on unchanged all the same. */
  readonly isOverlong: boolean;
}

/**
 * The prompt with the most exemplars, at most `shots`, that has at most `maxInputTokens` tokens. Exemplars are dropped from the
 * end; no room is kept for the output, and nothing is ever truncated.
 */
export function fitPrompt(
  promptWith: (shots: number) => string,
  limits: { readonly shots: number; readonly maxInputTokens: number; countTokens(text: string): number },
): FittedPrompt {
  let shots = limits.shots;
  let prompt = promptWith(shots);
  let isTooLong = limits.countTokens(prompt) > limits.maxInputTokens;
  while (isTooLong && shots > 0) {
    shots--;
    prompt = promptWith(shots);
    isTooLong = limits.countTokens(prompt) > limits.maxInputTokens;
  }
  return { prompt, shots, isOverlong: isTooLong };
}
