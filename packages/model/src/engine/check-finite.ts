// The check of what a step gives; nothing else.
import { ModelError } from "../errors.ts";
import type { StepResult } from "./step-model.ts";

/** @throws ModelError `MODEL_LOGITS_NOT_FINITE` when there was nothing to choose from */
export function checkFinite({ token }: StepResult): void {
  if (token >= 0) return;
  const message = "the model's logits are not finite; are its weights damaged?";
  throw new ModelError("MODEL_LOGITS_NOT_FINITE", message);
}
