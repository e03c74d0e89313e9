// How the tokens of a step are chosen: what the program does with logits, and what is made of what comes out. Types only.
import type { Tensor, TensorSpec, Tracer, Value } from "@flacuna/tensor";
import type { Selection, StepResult } from "../engine/step-model.ts";

type Fields<T> = Readonly<Record<string, T>>;

/** One way of choosing tokens after R places. */
export interface TokenChoice {
  /** What the program is told about the places, for a vocabulary of this size. */
  specs(vocabSize: number): Fields<TensorSpec>;
  /** What the program gives for logits [R, V] float32; inside `trace()`. */
  choose(logits: Tracer, inputs: Fields<Tracer>): Fields<Tracer>;
  /** The arguments for `specs`. */
  arguments(selections: readonly Selection[], vocabSize: number): Fields<Tensor>;
  /** Outputs whose shapes for R places are known before, and which are read in the host's memory. */
  columns?(
    places: number,
  ): Fields<{ readonly dtype: "float32" | "int32"; readonly shape: readonly number[] }>;
  /** One result per selection, from what the program gave, which stays the caller's. */
  results(outputs: Fields<Value>, selections: readonly Selection[]): Promise<StepResult[]>;
}
