// One generation from the first token asked for to the last: when it begins, how it is cancelled, where its tokens go.
import type { TokenConstraint, TokenConstraintFactory } from "../constraint/token-constraint.ts";
import type { FinishReason } from "../generate/stopping.ts";
import { cancelled, throwIfCancelled } from "./cancelled.ts";
import { type GeneratedToken, Generation, type GenerationParts } from "./generation.ts";
import { onAbort } from "./on-abort.ts";
import type { Sequence, WorkSink } from "./sequence.ts";
import { TokenStream } from "./token-stream.ts";

/** What is asked and told of a generation. */
export interface GenerationHooks {
  /** What it consists of; what this throws ends it before it begins. */
  prepare(): Omit<GenerationParts, "constraint" | "output">;
  /** It waits for its turn. */
  onBegin(): void;
  onToken(): void;
  /** It has ended, however; called after `onBegin` only. */
  onEnd(): void;
}

/** What begins and ends a generation beside its consumer. */
interface GenerationOrigin {
  /** Asked for a constraint before anything else. */
  readonly constraint?: TokenConstraintFactory;
  readonly signal?: AbortSignal;
}

/** The tokens of a generation that begins when the first one is asked for. */
export function streamGeneration(
  sink: WorkSink,
  { constraint: makeConstraint, signal }: GenerationOrigin,
  hooks: GenerationHooks,
): TokenStream<GeneratedToken, FinishReason> {
  let state: "new" | "begun" | "ended" = "new";
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
      const parts = hooks.prepare();
      state = "begun";
      hooks.onBegin();
      stopListening = signal && onAbort(signal, () => stream.abort(cancelled(signal)));
      const add = (constraint?: TokenConstraint) => {
        if (state === "begun") sequence = sink.add(new Generation({ ...parts, constraint, output }));
      };
      if (makeConstraint === undefined) add();
      else void Promise.resolve().then(makeConstraint).then(add).catch(output.fail);
    },
    onEnd() {
      if (state === "new") return;
      state = "ended";
      stopListening?.();
      if (sequence) sink.remove(sequence);
      hooks.onEnd();
    },
  });
  return stream;
}
