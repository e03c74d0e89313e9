import { describe, expect, it } from "vitest";
import { benchmarkFiles } from "./benchmarks/write-benchmarks.ts";
import { componentSizes, type FlanMiniRow, flanMiniRows } from "./flan-mini.ts";
import { PAPER_ROWS } from "./flan-sources.ts";
import { heldOutChats } from "./held-out-chats.ts";
import { type ChatMessage, pretrainingDocuments } from "./pretraining.ts";
import { createWorld } from "./world.ts";

const world = createWorld(1);
const rows = [...flanMiniRows(world)];
const files = benchmarkFiles(world);

const chatText = (messages: readonly ChatMessage[]): string => messages.map(({ value }) => value).join("\n");

function firstDocuments(count: number): string[] {
  const texts: string[] = [];
  for (const document of pretrainingDocuments(world)) {
    texts.push("text" in document ? document.text : chatText(document.conversations));
    if (texts.length === count) return texts;
  }
  return texts;
}

const contentsBelow = (folder: string): string[] =>
  [...files].filter(([path]) => path.startsWith(folder)).map(([, contents]) => contents);

/** What identifies each benchmark item: its question, or the passage or function it is about. */
function benchmarkTexts(): string[] {
  const mmlu = contentsBelow("mmlu/")
    .flatMap((csv) => csv.trim().split("\n"))
    .map(
      (line) =>
        /^"((?:[^"]|"")*)"|^([^,]*)/
          .exec(line)!
          .slice(1)
          .find((cell) => cell !== undefined)!,
    )
    .map((question) => question.replaceAll('""', '"'));
  const bbh = contentsBelow("bbh/").flatMap((json) =>
    (JSON.parse(json) as { examples: { input: string; target: string }[] }).examples.map(({ input }) =>
      input.startsWith("Which sentence has the correct adjective order")
        ? input
        : input.split("\nOptions:")[0]!,
    ),
  );
  const drop = contentsBelow("drop/").flatMap((json) =>
    Object.values(JSON.parse(json) as Record<string, { passage: string }>).map(({ passage }) => passage),
  );
  const crass = contentsBelow("crass/")
    .flatMap((csv) => csv.trim().split("\n").slice(1))
    .map((line) => line.split(";").slice(2, 4).join(" "));
  const humanEval = contentsBelow("humaneval/").flatMap((jsonl) =>
    jsonl
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { prompt: string }).prompt.split("\n")[0]!),
  );
  return [...mmlu, ...bbh, ...drop, ...crass, ...humanEval];
}

describe("pretrainingDocuments()", () => {
  it("gives the same documents whatever the start", () => {
    const [, , third] = firstDocuments(3);
    const { value } = pretrainingDocuments(world, { start: 2 }).next();
    expect("text" in value! ? value.text : chatText(value!.conversations)).toBe(third);
  });
});

describe("flanMiniRows()", () => {
  it("is a pure function of the seed", () => {
    expect([...flanMiniRows(createWorld(1), { rowCount: 300 })]).toEqual([
      ...flanMiniRows(world, { rowCount: 300 }),
    ]);
  });

  it("has all ten components in the paper's proportions with at least twenty rows each", () => {
    const sizes = componentSizes(4020);
    expect(Math.min(...Object.values(sizes))).toBeGreaterThanOrEqual(20);
    const ratios = Object.entries(sizes).map(
      ([name, size]) => size / PAPER_ROWS[name as keyof typeof PAPER_ROWS] / (4020 / 1_340_000),
    );
    for (const ratio of ratios) expect(ratio).toBeCloseTo(1, 1);
  });

  it("alternates human and gpt messages that are not empty and give each row its own id", () => {
    const isSound = ({ conversations }: FlanMiniRow): boolean =>
      conversations.length % 2 === 0 &&
      conversations.every(
        ({ from, value }, index) => value !== "" && from === (index % 2 === 0 ? "human" : "gpt"),
      );
    expect(rows.filter((row) => !isSound(row))).toEqual([]);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  it("marks single-turn rows by identity ids and multi-turn rows by other ids", () => {
    const marked = rows.filter(({ id, source }) => id.startsWith("identity") === (source === "sharegpt"));
    expect(marked).toEqual([]);
  });
});

describe("benchmarkFiles()", () => {
  it("asks nothing that a training text contains", () => {
    const training = [
      ...firstDocuments(4000),
      ...rows.map(({ conversations }) => chatText(conversations)),
    ].join("\n\n");
    expect(benchmarkTexts().filter((text) => training.includes(text))).toEqual([]);
  });

  it("has five development rows with letters in each MMLU subject", () => {
    const development = [...files].filter(([path]) => path.startsWith("mmlu/dev/"));
    expect(development.length).toBeGreaterThanOrEqual(10);
    for (const [, csv] of development) expect(csv).toMatch(/^(.*,[ABCD]\n){5}$/);
  });

  it("gives each CRASS row eight cells with the right answer before two or three wrong ones", () => {
    const lines = files.get("crass/CRASS_FTM_main_data_set.csv")!.trimEnd().split("\n").slice(1);
    const counts = lines.map((line) => line.split(";"));
    expect(
      counts.every((cells) => cells.length === 8 && cells.slice(4, 7).every((cell) => cell !== "")),
    ).toBe(true);
  });
});

describe("heldOutChats()", () => {
  it("holds conversations that no training text contains", () => {
    const training = new Set([
      ...firstDocuments(4000),
      ...rows.map(({ conversations }) => chatText(conversations)),
    ]);
    expect(heldOutChats(world).filter(({ conversations }) => training.has(chatText(conversations)))).toEqual(
      [],
    );
  });
});
