// Small Python functions: name, parameters, description, body and assertions.
import { type Split, splitOf } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import { NUMBER_WORDS } from "../vocabulary.ts";

/** One function of one to three lines. */
export interface PythonFunction {
  readonly key: string;
  readonly name: string;
  readonly parameters: string;
  /** Imperative sentence without the closing point: "Return x plus 3". */
  readonly description: string;
  /** Indented by four spaces, each line ended by a newline. */
  readonly body: string;
  /** Argument lists with the value expected, as Python source. */
  readonly cases: readonly (readonly [string, string])[];
}

interface Shape {
  readonly name: string;
  readonly parameters: string;
  readonly description: string;
  readonly body: readonly string[];
  readonly cases: readonly (readonly [string, string])[];
}

const numbers = [2, 5, 9, 14];
const python = (value: boolean): string => (value ? "True" : "False");

/** A family of functions that differ in one constant. */
const WITH_CONSTANT: readonly ((n: number) => Shape)[] = [
  (n) => ({
    name: `add_${n}`,
    parameters: "x",
    description: `Return x plus ${n}`,
    body: [`return x + ${n}`],
    cases: numbers.map((x) => [`${x}`, `${x + n}`]),
  }),
  (n) => ({
    name: `subtract_${n}`,
    parameters: "x",
    description: `Return x minus ${n}`,
    body: [`return x - ${n}`],
    cases: numbers.map((x) => [`${x}`, `${x - n}`]),
  }),
  (n) => ({
    name: `times_${n}`,
    parameters: "x",
    description: `Return x times ${n}`,
    body: [`return x * ${n}`],
    cases: numbers.map((x) => [`${x}`, `${x * n}`]),
  }),
  (n) => ({
    name: `more_than_${n}`,
    parameters: "x",
    description: `Return True if x is more than ${n}`,
    body: [`return x > ${n}`],
    cases: numbers.map((x) => [`${x}`, python(x > n)]),
  }),
  (n) => ({
    name: `less_than_${n}`,
    parameters: "x",
    description: `Return True if x is less than ${n}`,
    body: [`return x < ${n}`],
    cases: numbers.map((x) => [`${x}`, python(x < n)]),
  }),
  (n) => ({
    name: `is_${n}`,
    parameters: "x",
    description: `Return True if x is equal to ${n}`,
    body: [`return x == ${n}`],
    cases: [n, n + 1, 0].map((x) => [`${x}`, python(x === n)]),
  }),
  (n) => ({
    name: `divisible_by_${n}`,
    parameters: "x",
    description: `Return True if x is divisible by ${n}`,
    body: [`return x % ${n} == 0`],
    cases: [n, n * 3, n * 2 + 1].map((x) => [`${x}`, python(x % n === 0)]),
  }),
  (n) => ({
    name: `add_${n}_to_all`,
    parameters: "items",
    description: `Return a list with ${n} added to all items`,
    body: [`return [item + ${n} for item in items]`],
    cases: [
      ["[1, 2]", `[${1 + n}, ${2 + n}]`],
      ["[]", "[]"],
    ],
  }),
  (n) => ({
    name: `all_times_${n}`,
    parameters: "items",
    description: `Return a list with all items times ${n}`,
    body: [`return [item * ${n} for item in items]`],
    cases: [
      ["[1, 2]", `[${n}, ${2 * n}]`],
      ["[]", "[]"],
    ],
  }),
  (n) => ({
    name: `keep_more_than_${n}`,
    parameters: "items",
    description: `Return a list of the items that are more than ${n}`,
    body: [`return [item for item in items if item > ${n}]`],
    cases: [
      [`[${n + 1}, ${n}, ${n + 5}]`, `[${n + 1}, ${n + 5}]`],
      ["[]", "[]"],
    ],
  }),
  (n) => ({
    name: `repeat_${n}`,
    parameters: "text",
    description: `Return the text repeated ${n} times`,
    body: [`return text * ${n}`],
    cases: [
      ['"a"', `"${"a".repeat(n)}"`],
      ['""', '""'],
    ],
  }),
  (n) => ({
    name: `first_${n}`,
    parameters: "items",
    description: `Return the first ${n} items`,
    body: [`return items[:${n}]`],
    cases: [
      [`list(range(${n + 3}))`, `list(range(${n}))`],
      ["[]", "[]"],
    ],
  }),
  (n) => ({
    name: `last_${n}`,
    parameters: "items",
    description: `Return the last ${n} items`,
    body: [`return items[-${n}:]`],
    cases: [
      [`list(range(${n + 3}))`, `list(range(3, ${n + 3}))`],
      ["[]", "[]"],
    ],
  }),
  (n) => ({
    name: `at_least_${n}`,
    parameters: "x",
    description: `Return x or ${n}, the larger of the two`,
    body: [`if x > ${n}:`, "    return x", `return ${n}`],
    cases: numbers.map((x) => [`${x}`, `${Math.max(x, n)}`]),
  }),
  (n) => ({
    name: `at_most_${n}`,
    parameters: "x",
    description: `Return x or ${n}, the smaller of the two`,
    body: [`if x < ${n}:`, "    return x", `return ${n}`],
    cases: numbers.map((x) => [`${x}`, `${Math.min(x, n)}`]),
  }),
];

const LARGEST_CONSTANT = NUMBER_WORDS.length - 1;

/** A random function of the split. Shape and constant together decide the split. */
export function drawPythonFunction(random: RandomStream, split: Split): PythonFunction {
  for (;;) {
    const shape = random.pick(WITH_CONSTANT)(random.integer(2, LARGEST_CONSTANT));
    const key = `python/${shape.name}`;
    if (splitOf(key, 3) !== split) continue;
    return { ...shape, key, body: `${shape.body.map((line) => `    ${line}`).join("\n")}\n` };
  }
}

/** Every function of the split, in a fixed order. */
export function allPythonFunctions(split: Split): PythonFunction[] {
  return WITH_CONSTANT.flatMap((shape) =>
    Array.from({ length: LARGEST_CONSTANT - 1 }, (_, index) => shape(index + 2)),
  )
    .map((shape) => ({
      ...shape,
      key: `python/${shape.name}`,
      body: `${shape.body.map((line) => `    ${line}`).join("\n")}\n`,
    }))
    .filter((item) => splitOf(item.key, 3) === split);
}

/** The function's source: its header, and its documentation where asked for, and its body. */
export function pythonSource(item: PythonFunction, documentation = true): string {
  return pythonHeader(item, documentation) + item.body;
}

/** The part of the source before the body, ending in a newline. */
export function pythonHeader(item: PythonFunction, documentation = true): string {
  const text = documentation ? `    """ ${item.description}. """\n` : "";
  return `def ${item.name}(${item.parameters}):\n${text}`;
}
