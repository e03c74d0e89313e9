// The check of token ids that come from outside; nothing else.
import { ModelError } from "../errors.ts";

/** @throws ModelError `MODEL_INVALID_ARGUMENT` when an id is none of the model's */
export function checkTokenIds(ids: readonly number[], vocabSize: number, name: string): void {
  const wrong = ids.find((id) => !Number.isSafeInteger(id) || id < 0 || id >= vocabSize);
  if (wrong === undefined) return;
  const message = `${name} holds ${wrong}; the model has tokens 0 … ${vocabSize - 1}`;
  throw new ModelError("MODEL_INVALID_ARGUMENT", message, { details: { id: wrong, vocabSize } });
}
