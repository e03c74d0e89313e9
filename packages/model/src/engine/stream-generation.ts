// One generation from the first token asked for to the last: when it begins, how it is cancelled, where its tokens go.
import type { FinishReason } from "../generate/stopping.ts";
import { cancelled, throwIfCancelled } from "./cancelled.ts";
import { type GeneratedToken, Generation, type GenerationParts } from "./generation.ts";
import { onAbort } from "./on-abort.ts";
import type { Sequence, WorkSink } from "./sequence.ts";
import { TokenStream } from "./token-stream.ts";

/** What is asked and told of a generation. */
export interface GenerationHooks {
  /** What it consists of; what this throws ends it before it begins. */
  prepare(): Omit<GenerationParts, "output">;
  /** It waits for its turn. */
  onBegin(): void;
  onToken(): void;
  /** It has ended, however; called after `onBegin` only. */
  onEnd(): void;
}

/** The tokens of a generation that begins when the first one is asked for. */
export function streamGeneration(
  sink: WorkSink,
  signal: AbortSignal | undefined,
  hooks: GenerationHooks,
): TokenStream<GeneratedToken, FinishReason> {
  let sequence: Sequence | undefined;
  let stopListening: (() => void) | undefined;
  const output = {
    push(token: GeneratedToken) {
      hooks.onToken();
      stream.push(token);
    },
    end: (reason: FinishReason) => stream.end(reason),
    fail: (error: unknown) => stream.fail(error),
  };
  const stream = new TokenStream<GeneratedToken, FinishReason>({
    onStart() {
      throwIfCancelled(signal);
      sequence = sink.add(new Generation({ ...hooks.prepare(), output }));
      hooks.onBegin();
      stopListening = signal && onAbort(signal, () => stream.abort(cancelled(signal)));
    },
    onEnd() {
      if (sequence === undefined) return;
      stopListening?.();
      sink.remove(sequence);
      hooks.onEnd();
    },
  });
  return stream;
}
