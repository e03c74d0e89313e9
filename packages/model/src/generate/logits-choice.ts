// Tokens chosen outside of the program, for where no kernel does it. The program gives logits and what is asked of them
// most, so that greedy steps and scores need not look at a vocabulary in JavaScript.
import {
  add,
  argmax,
  dim,
  exp,
  log,
  max,
  reshape,
  spec,
  sub,
  sum,
  type Tensor,
  takeAlong,
  type Value,
} from "@flacuna/tensor";
import type { Selection, StepResult } from "../engine/step-model.ts";
import { TimeSlice } from "../engine/time-slice.ts";
import { selectToken } from "./select-token.ts";
import { integers } from "./step-arguments.ts";
import type { TokenChoice } from "./token-choice.ts";

/** What the program gives for one place, beside its logits. */
interface Row {
  /** The most likely token, and its logit. */
  readonly best: number;
  readonly highest: number;
  /** The logarithm of the sum of the logits' exponentials; not finite when one of them is not. */
  readonly total: number;
  /** The logit of the token to score. */
  readonly target: number;
}

const COLUMNS = ["best", "highest", "total", "target"] as const satisfies readonly (keyof Row)[];

/** The choice by `selectToken`. */
export const LOGITS_CHOICE: TokenChoice = {
  specs: () => ({ targets: spec("int64", [dim("R")]) }),
  choose(logits, { targets }) {
    const R = logits.shape[0]!;
    const last = { axis: -1, keepDims: true } as const;
    const highest = max(logits, last);
    const total = add(log(sum(exp(sub(logits, highest)), last)), highest);
    const target = takeAlong(logits, reshape(targets!, [R, 1]), 1);
    const [h, t, x] = [highest, total, target].map((column) => reshape(column, [R]));
    return { logits, best: argmax(logits, { axis: -1 }), highest: h!, total: t!, target: x! };
  },
  arguments: (selections) => ({
    targets: integers(
      "int64",
      selections.map(({ forced }) => forced ?? 0),
    ),
  }),
  async results(outputs, selections) {
    const columns = await Promise.all(COLUMNS.map((name) => numbersOf(outputs[name]!)));
    const logits = selections.every(isPlain) ? undefined : await outputs.logits!.toTensor();
    const results: StepResult[] = [];
    const slice = new TimeSlice();
    for (const [index, selection] of selections.entries()) {
      if (slice.isOver) await slice.pause();
      const row = Object.fromEntries(COLUMNS.map((name, i) => [name, columns[i]![index]])) as unknown as Row;
      const isKnown = logits === undefined || isPlain(selection);
      results.push(isKnown ? plainResult(row, selection) : selectToken(rowOf(logits, index), selection));
    }
    return results;
  },
};

const numbersOf = async (value: Value): Promise<number[]> => (await value.toTensor()).toNumbers();

function rowOf({ data, shape }: Tensor, row: number): Float32Array {
  const width = shape[1]!;
  return (data as Float32Array).subarray(row * width, (row + 1) * width);
}

/** Whether a choice needs no more than a `Row`. */
function isPlain({ top, forced, temperature, ...changes }: Selection): boolean {
  if (top > 0) return false;
  if (forced !== undefined) return true;
  const { repetitionPenalty, frequencyPenalty, presencePenalty, mask, bias } = changes;
  const hasPenalty = repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;
  return temperature === 0 && !hasPenalty && mask === undefined && bias === undefined;
}

function plainResult({ best, highest, total, target }: Row, { forced }: Selection): StepResult {
  if (!Number.isFinite(total)) return { token: -1, logProb: Number.NaN, isGreedy: false, top: [] };
  const token = forced ?? best;
  const logit = forced === undefined ? highest : target;
  return { token, logProb: logit - total, isGreedy: token === best, top: [] };
}
