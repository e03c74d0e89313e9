// The command line of `pnpm bench score`.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { among, positive } from "../generate/options.ts";

export interface ScoreBenchOptions {
  readonly model: string | undefined;
  readonly gguf: string | undefined;
  /** the folder with MMLU's `dev` and `test` */
  readonly mmlu: string;
  readonly python: string | undefined;
  readonly threads: number | undefined;
  /** what ours computes in, one after another */
  readonly precisions: readonly (typeof PRECISIONS)[number][];
  readonly subjects: number;
  /** of each subject */
  readonly questions: number;
  /** questions of a trial of a peer's settings */
  readonly trialQuestions: number;
  readonly isQuick: boolean;
}

const PRECISIONS = ["float32", "int16", "bfloat16", "int8", "int4"] as const;
/** The fastest that chooses as float32 does, and the fastest. */
const DEFAULT_PRECISIONS = "int16,int8";
const FULL = { subjects: 8, questions: 20, trialQuestions: 8 };
const QUICK = { subjects: 2, questions: 3, trialQuestions: 2 };

export const SCORE_USAGE = `pnpm bench score [options]
  --model DIR     checkpoint folder (default: SmolLM2-135M-Instruct, made once by tools/smollm2.ts)
  --gguf FILE     the same model for llama.cpp (default: the GGUF file in the folder)
  --data DIR      folder with bench/mmlu/{dev,test} (default: FLACUNA_DATA); needed
  --python PATH   Python with torch and transformers (default: a virtual environment that is made once)
  --precision LIST
                  how ours computes, among ${PRECISIONS.join(", ")} (default ${DEFAULT_PRECISIONS})
  --subjects N    subjects (default ${FULL.subjects})
  --questions N   questions of each (default ${FULL.questions})
  --threads N     threads of all sides (default: the cores)
  --quick         few questions and settings: to see that it works, not to measure`;

/**
 * The options in `args`.
 *
 * @throws TypeError (unknown option), Error (a value that makes no sense, or no data)
 */
export function parseScoreOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): ScoreBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      gguf: { type: "string" },
      data: { type: "string" },
      python: { type: "string" },
      precision: { type: "string", default: DEFAULT_PRECISIONS },
      subjects: { type: "string" },
      questions: { type: "string" },
      threads: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const data = values.data ?? environment["FLACUNA_DATA"];
  if (!data) throw new Error("the questions are real: give their folder with --data or FLACUNA_DATA");
  const amounts = values.quick ? QUICK : FULL;
  const count = (option: "subjects" | "questions" | "threads") => {
    const text = values[option];
    return text === undefined ? undefined : positive(`--${option}`, text);
  };
  return {
    model: values.model ? resolve(values.model) : undefined,
    gguf: values.gguf ? resolve(values.gguf) : undefined,
    mmlu: join(resolve(data), "bench/mmlu"),
    python: values.python,
    threads: count("threads"),
    precisions: values.precision.split(",").map((text) => among("--precision", PRECISIONS, text)),
    subjects: count("subjects") ?? amounts.subjects,
    questions: count("questions") ?? amounts.questions,
    trialQuestions: amounts.trialQuestions,
    isQuick: values.quick,
  };
}
