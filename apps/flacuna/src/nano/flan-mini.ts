// The FLAN-MINI sample: rows of all ten components in the released schema and in the paper's proportions.
import { createFamilies, type Families, type FamilyName } from "./families/catalogue.ts";
import { drawConversation, longExchange } from "./families/conversation.ts";
import {
  drawPythonFunction,
  type PythonFunction,
  pythonHeader,
  pythonSource,
} from "./families/python-functions.ts";
import {
  COT_SOURCES,
  type ComponentName,
  DEFINITIONS,
  FLAN2021_SOURCES,
  NIV2_SOURCES,
  P3_SOURCES,
  PAPER_ROWS,
} from "./flan-sources.ts";
import {
  CHOICE_TEMPLATES,
  EXPLAINED_TEMPLATES,
  type FlanTemplate,
  OPEN_TEMPLATES,
  type RenderedRow,
  renderFewShot,
  renderProblem,
} from "./flan-templates.ts";
import type { ChatMessage } from "./pretraining.ts";
import { hashText, RandomStream } from "./random.ts";
import type { World } from "./world.ts";

/** One row as `flan_mini.json` has it. */
export interface FlanMiniRow {
  readonly id: string;
  readonly source: string;
  readonly conversations: readonly ChatMessage[];
}

interface Draw {
  readonly world: World;
  readonly families: Families;
  readonly random: RandomStream;
}

type Drawn = Omit<FlanMiniRow, "id">;

const pair = (source: string, { input, target }: RenderedRow): Drawn => ({
  source,
  conversations: [
    { from: "human", value: input },
    { from: "gpt", value: target },
  ],
});

/** Families whose problems make sense only with their options. */
const NEEDS_OPTIONS: ReadonlySet<FamilyName> = new Set(["quizFact", "counterfactual", "hyperbaton"]);

/** Longest few-shot row, in characters; keeps rows well under the sequence limit. */
const MAX_FEW_SHOT_CHARACTERS = 1100;

function pickTemplate(family: FamilyName, hasOptions: boolean, random: RandomStream): FlanTemplate {
  if (hasOptions && (NEEDS_OPTIONS.has(family) || random.chance(0.5))) return random.pick(CHOICE_TEMPLATES);
  return random.pick(OPEN_TEMPLATES);
}

function drawTaskRow({ families, random }: Draw, family: FamilyName, definition?: string): RenderedRow {
  const first = families[family](random, "train");
  const template = pickTemplate(family, first.options !== undefined, random);
  const shots = random.chance(0.6) ? random.integer(1, 4) : 0;
  const rows = [renderProblem(template, first)];
  while (rows.length <= shots) {
    const problem = families[family](random, "train");
    if (template.layout !== undefined && problem.options === undefined) continue;
    rows.unshift(renderProblem(template, problem));
    if (rows.reduce((sum, row) => sum + row.input.length, 0) > MAX_FEW_SHOT_CHARACTERS) break;
  }
  const row = renderFewShot(rows, random);
  return definition === undefined ? row : { ...row, input: `Definition: ${definition}\n\n${row.input}` };
}

function drawTabled(table: Readonly<Record<string, readonly FamilyName[]>>, withDefinition: boolean) {
  const sources = Object.keys(table);
  return (draw: Draw): Drawn => {
    const source = draw.random.pick(sources);
    const family = draw.random.pick(table[source]!);
    return pair(source, drawTaskRow(draw, family, withDefinition ? DEFINITIONS[family] : undefined));
  };
}

function drawExplained({ families, random }: Draw): Drawn {
  const source = random.pick(Object.keys(COT_SOURCES));
  const family = random.pick(COT_SOURCES[source]!);
  const problem = families[family](random, "train");
  const usable = EXPLAINED_TEMPLATES.filter(({ layout }) =>
    layout === undefined ? !NEEDS_OPTIONS.has(family) : problem.options !== undefined,
  );
  return pair(source, renderProblem(random.pick(usable), problem));
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

const CODE_PROMPTS: Readonly<Record<string, readonly ((item: PythonFunction) => string)[]>> = {
  code_search: [
    (item) => `Complete the following Python code.\n${pythonHeader(item)}`,
    (item) => `Here is a Python function without its code. Write the code.\n${pythonHeader(item)}`,
    (item) => pythonHeader(item),
  ],
  code_contest: [
    (item) => `Solve this task in Python with a function ${item.name}: ${item.description}.\nAnswer:`,
    (item) => `Task: ${item.description}.\nThe function is called ${item.name}.\nSolution:`,
  ],
  apps: [
    (item) =>
      `Write Python code for this question.\n${item.description}. Use the name ${item.name}.\nAnswer:`,
    (item) => `Please complete the Python code so that all tests pass.\n${pythonHeader(item)}`,
  ],
  code_alpaca: [
    (item) => `Write a Python function ${item.name} to ${lowerFirst(item.description)}.`,
    (item) => `Complete this code.\nInput:\n${pythonHeader(item)}Output:`,
  ],
};

function drawCode(source: string) {
  return ({ random }: Draw): Drawn => {
    const item = drawPythonFunction(random, "train");
    return pair(source, {
      input: random.pick(CODE_PROMPTS[source]!)(item),
      target: pythonSource(item, random.chance(0.3)),
    });
  };
}

function drawLongAnswer({ world, random }: Draw): Drawn {
  const { user, assistant } = longExchange(world, random);
  return pair("alpaca_gpt4", { input: user, target: assistant });
}

function drawShared({ world, random }: Draw): Drawn {
  const conversations = drawConversation(world, random, "train").flatMap(
    ({ user, assistant }): ChatMessage[] => [
      { from: "human", value: user },
      { from: "gpt", value: assistant },
    ],
  );
  return { source: "sharegpt", conversations };
}

const COMPONENTS: Readonly<Record<ComponentName, (draw: Draw) => Drawn>> = {
  flan2021: drawTabled(FLAN2021_SOURCES, false),
  p3: drawTabled(P3_SOURCES, false),
  niv2: drawTabled(NIV2_SOURCES, true),
  cot: drawExplained,
  code_search: drawCode("code_search"),
  code_contest: drawCode("code_contest"),
  apps: drawCode("apps"),
  alpaca_gpt4: drawLongAnswer,
  code_alpaca: drawCode("code_alpaca"),
  sharegpt: drawShared,
};

function rowId(component: ComponentName, index: number): string {
  if (component === "sharegpt") return `${hashText(`sharegpt/${index}`).toString(36)}_0`;
  const isFlan = ["flan2021", "p3", "niv2", "cot"].includes(component);
  return `identity_${isFlan ? "flan" : component}_${index}`;
}

/** How many rows each component has in a sample of about `rowCount` rows. */
export function componentSizes(rowCount: number): Record<ComponentName, number> {
  const total = Object.values(PAPER_ROWS).reduce((sum, rows) => sum + rows, 0);
  return Object.fromEntries(
    Object.entries(PAPER_ROWS).map(([name, rows]) => [name, Math.round((rows * rowCount) / total)]),
  ) as Record<ComponentName, number>;
}

/** The rows of the sample, component after component. */
export function* flanMiniRows(
  world: World,
  options: { readonly rowCount?: number } = {},
): Generator<FlanMiniRow> {
  const families = createFamilies(world);
  let flanIndex = 0;
  for (const [name, size] of Object.entries(componentSizes(options.rowCount ?? 4020)) as [
    ComponentName,
    number,
  ][]) {
    for (let index = 0; index < size; index++) {
      const random = new RandomStream(`nano/${world.seed}/flan-mini/${name}/${index}`);
      yield { id: rowId(name, flanIndex++), ...COMPONENTS[name]({ world, families, random }) };
    }
  }
}
