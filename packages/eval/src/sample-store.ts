// Where judged samples are kept while an evaluation runs, so that a killed one goes on; the caller decides on what medium.

import { hashText } from "./hash.ts";
import type { GenerateRequest } from "./language-model.ts";
import type { SampleRecord } from "./results.ts";
import type { Task } from "./task.ts";

/** A key–value store; a key names model, task, data and request, so no stale record can be found under it. */
export interface SampleStore {
  get(key: string): SampleRecord | undefined | Promise<SampleRecord | undefined>;
  put(key: string, record: SampleRecord): void | Promise<void>;
}

/** The key of one sample; readable at its start, a SHA-256 of everything it depends on at its end. */
export function sampleKey(
  model: string,
  task: Task,
  sample: { readonly documentId: string; readonly sampleIndex: number; readonly request: GenerateRequest },
): string {
  const { documentId, sampleIndex, request } = sample;
  const { prompt, maxNewTokens, temperature, topK, topP, seed } = request;
  const settings = JSON.stringify({ maxNewTokens, temperature, topK, topP, seed });
  const hash = hashText([model, String(task.version), task.datasetHash, settings, prompt]);
  return `${task.name}/${documentId}#${sampleIndex}/${hash}`;
}
