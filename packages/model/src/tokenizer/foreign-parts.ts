// Parts of a `tokenizer.json` over which the foreign tokenizer ends the process, to be refused before it sees them.
import { ModelError } from "../errors.ts";

/** By type: when a part is refused, and what to call it. */
const REFUSED: Readonly<Record<string, readonly [isRefused: (part: Part) => boolean, what: string]>> = {
  Precompiled: [() => true, "rules for characters that do not come first"],
  Strip: [({ stop }) => Number(stop ?? 0) > 0, "decoders that strip the ends of tokens"],
  FixedLength: [({ length }) => !(Number(length) >= 1), "pieces of no length"],
};

type Part = Readonly<Record<string, unknown>>;

/**
 * `parts` as JSON for the foreign tokenizer.
 *
 * @throws ModelError `MODEL_UNSUPPORTED` when it would not survive one of them
 */
export function formatForeignParts(parts: unknown): string {
  return JSON.stringify(parts, (_, value: unknown) => {
    const part = (value ?? {}) as Part;
    const [isRefused, what] = (typeof part.type === "string" && REFUSED[part.type]) || [];
    if (isRefused?.(part)) {
      throw new ModelError("MODEL_UNSUPPORTED", `tokenizer.json: ${what} (${part.type}) are not supported`);
    }
    return value;
  });
}
