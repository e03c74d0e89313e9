// The DROP file of the nano world: passages by id, each with question-answer pairs and validated answers.
import { drawPassage, passageKey } from "../families/passages.ts";
import { splitOf } from "../problem.ts";
import { RandomStream } from "../random.ts";
import type { World } from "../world.ts";

interface DropAnswer {
  readonly number: string;
  readonly date: { readonly day: string; readonly month: string; readonly year: string };
  readonly spans: readonly string[];
}

const NO_DATE = { day: "", month: "", year: "" };

function dropAnswer(kind: "number" | "span" | "date", answer: string): DropAnswer {
  if (kind === "number") return { number: answer, date: NO_DATE, spans: [] };
  if (kind === "span") return { number: "", date: NO_DATE, spans: [answer] };
  const [day, month, year] = answer.split(" ") as [string, string, string];
  return { number: "", date: { day, month, year }, spans: [] };
}

/** The contents of `drop_dataset_dev.json`: `passages` passages with two questions each. */
export function dropFile(world: World, passages: number): string {
  const random = new RandomStream(`nano/${world.seed}/drop`);
  const file: Record<string, unknown> = {};
  while (Object.keys(file).length < passages) {
    const { passage, questions } = drawPassage(random);
    if (splitOf(passageKey(passage)) !== "test") continue;
    const id = `nano_${Object.keys(file).length}`;
    const pairs = random.sample(questions, 2).map(({ kind, question, answer }, index) => ({
      question,
      answer: dropAnswer(kind, answer),
      query_id: `${id}_${index}`,
      validated_answers: [dropAnswer(kind, answer), dropAnswer(kind, answer)],
    }));
    file[id] = { passage, qa_pairs: pairs };
  }
  return `${JSON.stringify(file, null, 1)}\n`;
}
