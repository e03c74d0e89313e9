// A guide under docs/ as what a test can hold it to: its blocks of code, what its listings print, and its links.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { ROOT } from "../../tools/pack.ts";

/** A fenced block: ```` ```language path before anchor ````, the last two optional. */
export interface Block {
  readonly language: string;
  /** A file of the package; what follows `text` says when the output is expected. */
  readonly path: string | undefined;
  /** The beginning of the line that the block stands before; the whole file when absent. */
  readonly anchor: string | undefined;
  readonly text: string;
}

export interface Guide {
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** The blocks that are run, one after another; the `text` after each is what it prints, nothing where there is none. */
  readonly listings: readonly Block[];
}

/** The guide in a file of the repository, such as `docs/tensor.md`. */
export function readGuide(path: string): Guide {
  const file = join(ROOT, path);
  const text = readFileSync(file, "utf8");
  const blocks = [...text.matchAll(/^```(\w+)(?: (\S+))?(?: before (.+))?\n([\s\S]*?)^```$/gm)].map(
    ([, language, path, anchor, text]): Block => ({ language: language!, path, anchor, text: text! }),
  );
  const listings = blocks.filter(({ language, path }) => language === "ts" && path === undefined);
  return { file, text, blocks, listings };
}

const END_OF_LISTING = "--- end of listing ---";

/** A program of all listings. */
export const scriptOf = ({ listings }: Guide): string =>
  listings.map(({ text }) => `${text}console.log(${JSON.stringify(END_OF_LISTING)});\n`).join("");

/**
 * Holds what the program of all listings printed to what is written under them.
 *
 * @param isExpected whether the output of a block `text` with this word after it is to be had here; all are by default
 */
export function expectPrinted(
  { blocks, listings }: Guide,
  output: string,
  isExpected: (condition: string) => boolean = () => true,
): void {
  const printed = output.split(`${END_OF_LISTING}\n`);
  expect(printed).toHaveLength(listings.length + 1);
  for (const [index, listing] of listings.entries()) {
    const next = blocks[blocks.indexOf(listing) + 1];
    const expected = next?.language === "text" ? next : undefined;
    if (expected?.path !== undefined && !isExpected(expected.path)) continue;
    expect(printed[index], `what follows ${listing.text}`).toBe(expected?.text ?? "");
  }
}

/** The example's tests are not to be counted beside those that run it. */
const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", VITEST_JSON_DIR: "" };

/** What a tool of the workspace prints in the folder `home`; its words when it fails. */
export function runTool(home: string, tool: string, args: readonly string[]): string {
  try {
    const options = { cwd: home, encoding: "utf8", stdio: "pipe", env: environment } as const;
    return execFileSync(join(ROOT, "node_modules/.bin", tool), args, options);
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${tool} ${args.join(" ")}:\n${stdout}${stderr}`);
  }
}

/** The links to files and headings that do not exist; addresses on the web are not asked. */
export function brokenLinks({ file, text }: Guide): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  expect(targets.length).toBeGreaterThan(0);
  return targets.filter((target) => {
    if (/^\w+:/.test(target)) return false;
    const [path = "", anchor] = target.split("#");
    const linked = path === "" ? file : join(dirname(file), path);
    return !existsSync(linked) || (anchor !== undefined && !headings(linked).includes(anchor));
  });
}

const headings = (file: string): string[] =>
  [...readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
