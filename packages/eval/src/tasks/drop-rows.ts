// DROP's rows from either file format: the original nested JSON, or flat rows as JSON lines. Which rows count is in `drop.ts`.

import { EvalError, quote } from "../errors.ts";
import {
  type Place,
  parseJson,
  parseJsonLines,
  requireArray,
  requireObject,
  requireString,
} from "../json-record.ts";
import { readSourceText } from "../source-file.ts";

/** One question with every accepted answer as text, in the file's order. */
export interface DropRow {
  readonly queryId: string;
  readonly passage: string;
  readonly question: string;
  readonly answers: readonly string[];
}

/** The rows of a DROP file and how many questions were skipped for their answers. */
export interface DropRows {
  readonly rows: readonly DropRow[];
  /** Questions whose answers are of several kinds at once or of none; the public development set has one. */
  readonly skipped: number;
}

/**
 * The rows of a DROP development file. Two formats are understood:
 *
 * - the original `drop_dataset_dev.json`: passage id → `{ passage, qa_pairs: [{ question, query_id, validated_answers }] }`;
 *   each answer gives its number, its date as `day month year`, or its spans;
 * - JSON lines of `{ query_id, passage, question, answers_spans: { spans } }`, the flattened `validation` split.
 *
 * @throws EvalError `EVAL_FILE_MISSING`, or `EVAL_FILE_MALFORMED` with the record
 */
export async function readDrop(file: string): Promise<DropRows> {
  const text = await readSourceText(file);
  return isNested(text) ? parseNested(text, file) : parseFlat(text, file);
}

/** A first line that is a whole object with a `passage` in it begins the flat format. */
function isNested(text: string): boolean {
  const firstLine = text.slice(0, text.indexOf("\n") + 1 || undefined);
  try {
    return typeof (JSON.parse(firstLine) as { passage?: unknown }).passage !== "string";
  } catch {
    return true;
  }
}

function parseFlat(text: string, file: string): DropRows {
  const rows = parseJsonLines(text, file).map(({ value, line }) => {
    const place = { file, record: line };
    const row = requireObject(value, "row", place);
    const { spans } = requireObject(row.answers_spans, "`answers_spans`", place);
    return {
      queryId: requireString(row.query_id, "`query_id`", place),
      passage: requireString(row.passage, "`passage`", place),
      question: requireString(row.question, "`question`", place),
      answers: requireArray(spans, "`spans`", place).map((span) => requireString(span, "span", place)),
    };
  });
  return { rows, skipped: 0 };
}

function parseNested(text: string, file: string): DropRows {
  const rows: DropRow[] = [];
  let record = 0;
  let skipped = 0;
  const passages = requireObject(parseJson(text, { file }), "DROP file", { file });
  for (const [id, value] of Object.entries(passages)) {
    const section = requireObject(value, `passage ${quote(id)}`, { file, record: record + 1 });
    const passage = requireString(section.passage, `\`passage\` of ${quote(id)}`, {
      file,
      record: record + 1,
    });
    const pairs = requireArray(section.qa_pairs, `\`qa_pairs\` of ${quote(id)}`, {
      file,
      record: record + 1,
    });
    for (const item of pairs) {
      const place = { file, record: ++record };
      const pair = requireObject(item, `question on ${quote(id)}`, place);
      const answers = flattenAnswers(
        requireArray(pair.validated_answers, "`validated_answers`", place),
        place,
      );
      if (answers === undefined) {
        skipped++;
        continue;
      }
      rows.push({
        queryId: requireString(pair.query_id, "`query_id`", place),
        passage,
        question: requireString(pair.question, "`question`", place),
        answers,
      });
    }
  }
  if (record === 0) {
    throw new EvalError("EVAL_FILE_MALFORMED", "DROP file", {
      file,
      expected: "at least one question",
      got: "none",
    });
  }
  return { rows, skipped };
}

/** The answers as text; `undefined` when one is of several kinds at once, or when there is none at all. */
function flattenAnswers(answers: readonly unknown[], place: Place): string[] | undefined {
  const flat: string[] = [];
  for (const value of answers) {
    const answer = requireObject(value, "answer", place);
    const number = requireString(answer.number, "`number` of an answer", place);
    const date = flattenDate(answer.date, place);
    const spans = requireArray(answer.spans, "`spans` of an answer", place).map((span) =>
      requireString(span, "span of an answer", place),
    );
    const kinds = Number(number !== "") + Number(date !== undefined) + Number(spans.length > 0);
    if (kinds > 1) return undefined;
    if (number !== "") flat.push(number);
    if (date !== undefined) flat.push(date);
    flat.push(...spans);
  }
  return flat.length === 0 ? undefined : flat;
}

/** `day month year` with the absent parts empty, stripped at the ends only; `undefined` when all are absent. */
function flattenDate(value: unknown, place: Place): string | undefined {
  const date = requireObject(value, "`date` of an answer", place);
  const parts = ["day", "month", "year"].map((part) => requireString(date[part] ?? "", `\`${part}\``, place));
  return parts.some((part) => part !== "") ? parts.join(" ").trim() : undefined;
}
