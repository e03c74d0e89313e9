// `pnpm bench score`: log-likelihoods of 5-shot MMLU questions, ours against transformers and llama.cpp, by turns.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { readTokenizer } from "@flacuna/model";
import { type BenchHeader, formatBenchHeader } from "../generate/report.ts";
import { loadOurs, startOurs } from "../generate/setup.ts";
import { prepareLlamaCpp } from "../llama-cpp/build.ts";
import { findGguf, prepareGguf } from "../llama-cpp/gguf-formats.ts";
import { describeMachine } from "../machine.ts";
import { prepareModel } from "../model-folder.ts";
import { preparePython } from "../peer-environment.ts";
import { mean, significant, sum } from "../statistics.ts";
import { Worker } from "../worker.ts";
import { parseScoreOptions, SCORE_USAGE, type ScoreBenchOptions } from "./options.ts";
import { choicesOf, readSubjects, type Subject } from "./questions.ts";
import { llamaScorerSettings, openScorer, type Scorer, transformersSettings } from "./scorers.ts";

const PEER = fileURLToPath(new URL("../peer/peer-score.py", import.meta.url));

/** Requests that may run at once in ours. */
const SEQUENCES = 32;

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n\n`);

/** Runs the benchmark; the last line on standard output is JSON. */
export async function benchScore(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(`${SCORE_USAGE}\n`);
    return;
  }
  const options = parseScoreOptions(args, process.env);
  const setup = await prepare(options);
  print(formatBenchHeader(setup.header));
  const workers: Worker[] = [];
  try {
    const scorers = await openScorers(setup, workers);
    const turns = await takeTurns(scorers, setup.subjects);
    const exact = await exactChoices(setup, scorers, turns, workers);
    process.stdout.write(`${JSON.stringify(report(setup, scorers, turns, exact))}\n`);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

interface ScoreSetup {
  readonly options: ScoreBenchOptions;
  readonly header: BenchHeader;
  readonly model: string;
  readonly gguf: string;
  readonly q8: string;
  readonly scorer: string;
  readonly python: string;
  readonly threads: number;
  /** for the trials, of a subject that is not scored otherwise where there is one */
  readonly trial: Subject;
  readonly subjects: readonly Subject[];
}

async function prepare(options: ScoreBenchOptions): Promise<ScoreSetup> {
  const machine = describeMachine();
  const model = prepareModel(options.model, log);
  const gguf = await findGguf(model, options.gguf);
  const { programs, version } = await prepareLlamaCpp(gguf, log);
  const threads = options.threads ?? availableParallelism();
  const amounts = { subjects: options.subjects + 1, questions: options.questions };
  const [trial, ...subjects] = await readSubjects(options.mmlu, await readTokenizer(model), amounts);
  const questions = sum(subjects.map((subject) => subject.questions.length));
  return {
    options,
    header: {
      machine,
      versions: { "llama.cpp": version },
      dataOrigin: `MMLU, ${subjects.length} subjects, ${questions} questions, 5-shot`,
      model,
      threads,
      isQuick: options.isQuick,
    },
    model,
    gguf,
    q8: await prepareGguf(gguf, "q8_0", programs["llama-quantize"], log),
    scorer: programs["llama-score"],
    python: preparePython(options.python, log),
    threads,
    trial: { ...trial!, questions: trial!.questions.slice(0, options.trialQuestions) },
    subjects,
  };
}

const requestsOf = ({ questions }: Subject) => questions.flatMap(({ requests }) => requests);

/** Ours in each precision, then transformers and llama.cpp; whoever is started is in `workers`. */
async function openScorers(setup: ScoreSetup, workers: Worker[]): Promise<Scorer[]> {
  const { options, model, q8, threads, trial } = setup;
  const { precisions, isQuick } = options;
  const start = async (worker: Promise<Worker>) => {
    workers.push(await worker);
    return workers.at(-1)!;
  };
  const few = <T>(settings: readonly T[]) => (isQuick ? settings.slice(0, 1) : settings);
  const requests = requestsOf(trial);
  const ours: Scorer[] = [];
  for (const precision of precisions) {
    const setting = { name: precision, load: loadOurs(setup, precision, SEQUENCES), with: {} };
    ours.push(await openScorer("ours", await start(startOurs()), [setting], requests, log));
  }
  return [
    ...ours,
    await openScorer(
      "transformers",
      await start(Worker.start(setup.python, [PEER])),
      few(transformersSettings(model, threads)),
      requests,
      log,
    ),
    await openScorer(
      "llama.cpp",
      await start(Worker.start(setup.scorer, [])),
      few(llamaScorerSettings(q8, threads)),
      requests,
      log,
    ),
  ];
}

/** What one side did over all subjects. */
interface ScoreResult {
  readonly seconds: number;
  readonly choices: readonly number[];
}

/** Subject by subject, every side scores all of it. */
async function takeTurns(scorers: readonly Scorer[], subjects: readonly Subject[]): Promise<ScoreResult[]> {
  const results = scorers.map(() => ({ seconds: 0, choices: [] as number[] }));
  for (const subject of subjects) {
    for (const [index, scorer] of scorers.entries()) {
      const { seconds, logProbs } = await scorer.score(requestsOf(subject));
      results[index]!.seconds += seconds;
      results[index]!.choices.push(...choicesOf(subject.questions, logProbs));
    }
    log(`${subject.name}: ${results.map(({ seconds }) => seconds.toFixed(1)).join(", ")} s so far`);
  }
  return results;
}

/** The choices of transformers in float32, which are known when that was its fastest setting. */
async function exactChoices(
  { python, model, threads, subjects }: ScoreSetup,
  scorers: readonly Scorer[],
  results: readonly ScoreResult[],
  workers: Worker[],
): Promise<readonly number[]> {
  const known = scorers.findIndex(
    ({ name, settings }) => name === "transformers" && settings.includes("float32"),
  );
  if (known >= 0) return results[known]!.choices;
  const worker = await Worker.start(python, [PEER]);
  workers.push(worker);
  const [exact] = transformersSettings(model, threads);
  await worker.ask(exact!.load);
  const choices: number[] = [];
  for (const { questions } of subjects) {
    const requests = questions.flatMap((question) => question.requests);
    const answer = await worker.ask({ command: "score", requests, ...exact!.with });
    choices.push(...choicesOf(questions, (answer as { logProbs: number[] }).logProbs));
  }
  return choices;
}

function report(
  { header, subjects, options }: ScoreSetup,
  scorers: readonly Scorer[],
  results: readonly ScoreResult[],
  exact: readonly number[],
): Record<string, unknown> {
  const questions = subjects.flatMap((subject) => subject.questions);
  const tokens = sum(questions.map(({ requests }) => requests[0]!.contextIds.length));
  const share = (choices: readonly number[], expected: readonly number[]) =>
    significant(mean(choices.map((choice, index) => (choice === expected[index] ? 1 : 0))));
  const sides = scorers.map(({ name, settings, worker }, index) => {
    const { seconds, choices } = results[index]!;
    return {
      name,
      settings,
      seconds: significant(seconds),
      questionsPerSecond: significant(questions.length / seconds),
      sameChoices: share(choices, exact),
      accuracy: share(
        choices,
        questions.map(({ answer }) => answer),
      ),
      versions: worker.hello.versions,
    };
  });
  print(
    sides.map(
      ({ name, settings, questionsPerSecond, sameChoices, accuracy }) =>
        `${name} (${settings}): ${questionsPerSecond} questions/s, chooses as float32 in ` +
        `${Math.round(sameChoices * questions.length)} of ${questions.length}, right in ${accuracy}`,
    ),
  );
  const seconds = results.map((result) => result.seconds);
  const [transformers, llamaCpp] = seconds.slice(-2) as [number, number];
  const ours = seconds.slice(0, -2);
  return {
    precisions: options.precisions,
    overTransformers: ours.map((each) => significant(transformers / each)),
    overLlamaCpp: ours.map((each) => significant(llamaCpp / each)),
    sameChoices: sides.slice(0, -2).map((side) => side.sameChoices),
    questions: questions.length,
    promptTokens: tokens,
    sides,
    ...header,
  };
}
