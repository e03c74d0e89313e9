// How a list of options is laid out in text, and which label then names each option.

/** A way to write options; `labelOf` gives what a short answer says. */
export interface OptionLayout {
  readonly format: (options: readonly string[]) => string;
  readonly labelOf: (index: number, options: readonly string[]) => string;
}

const LETTERS = "ABCDEFGH";
const letterAt = (index: number): string => LETTERS.charAt(index);

function lettered(
  write: (letter: string, option: string) => string,
  separator: string,
  label: (letter: string) => string,
): OptionLayout {
  return {
    format: (options) => options.map((option, index) => write(letterAt(index), option)).join(separator),
    labelOf: (index) => label(letterAt(index)),
  };
}

/** The layouts by name. */
export const OPTION_LAYOUTS = {
  /** `A. red` on lines of their own, as MMLU and CRASS write them. */
  dots: lettered(
    (letter, option) => `${letter}. ${option}`,
    "\n",
    (letter) => letter,
  ),
  /** `(A) red` on lines of their own, as BBH writes them. */
  parentheses: lettered(
    (letter, option) => `(${letter}) ${option}`,
    "\n",
    (letter) => `(${letter})`,
  ),
  /** `A) red B) blue` in one line. */
  inline: lettered(
    (letter, option) => `${letter}) ${option}`,
    " ",
    (letter) => letter,
  ),
  /** `- red` on lines of their own; the answer is the option itself. */
  bullets: {
    format: (options: readonly string[]) => options.map((option) => `- ${option}`).join("\n"),
    labelOf: (index: number, options: readonly string[]) => options[index] as string,
  },
} satisfies Record<string, OptionLayout>;

/** Name of an option layout. */
export type OptionLayoutName = keyof typeof OPTION_LAYOUTS;
