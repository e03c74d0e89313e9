// The whole reproduction, stage after stage; each is skipped when its result is there and taken up where it was left.

import type { StageOutcome } from "../artifacts.ts";
import { formatDuration } from "../progress.ts";
import type { Report } from "../report/report-schema.ts";
import { evaluateModels } from "./evaluate.ts";
import { fetchInputs } from "./fetch.ts";
import { mergeAdapter } from "./merge.ts";
import { prepareData } from "./prepare.ts";
import { type StageOutcomes, writeReport } from "./report.ts";
import type { RunContext } from "./stage.ts";
import { trainAdapter } from "./train.ts";

/** The stages in order, as a user names them. */
export const STAGES = ["fetch", "prepare", "train", "merge", "evaluate", "report"] as const;

/** The name of a stage. */
export type StageName = (typeof STAGES)[number];

/**
 * Runs the stages up to and with `last`.
 *
 * @returns the report, when it is the last stage
 */
export async function runStages(context: RunContext, last: StageName): Promise<Report | undefined> {
  const tell = <Result>(outcome: StageOutcome<Result>): StageOutcome<Result> => {
    const how = outcome.isReused ? "done before" : formatDuration(outcome.seconds);
    context.say(`${outcome.stage}: ${how}`);
    return outcome;
  };
  const isDone = (stage: StageName) => STAGES.indexOf(stage) >= STAGES.indexOf(last);
  const fetched = tell(await fetchInputs(context));
  if (isDone("fetch")) return undefined;
  const prepared = tell(await prepareData(context, fetched));
  if (isDone("prepare")) return undefined;
  const trained = tell(await trainAdapter(context, fetched, prepared));
  if (isDone("train")) return undefined;
  const merged = tell(await mergeAdapter(context, fetched, trained));
  if (isDone("merge")) return undefined;
  const evaluated = tell(await evaluateModels(context, fetched, prepared, merged));
  if (isDone("evaluate")) return undefined;
  const outcomes: StageOutcomes = { fetched, prepared, trained, merged, evaluated };
  return writeReport(context, outcomes);
}
