// The documentation of the engine at its word. docs/tensor.md: a copy of the package gets the files and lines of the worked
// example, compiles and passes the example's tests, and the listings print what is written under them.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import * as tensor from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../tools/pack.ts";

/** The kernels are compiled with the example among them, on a machine that may be busy. */
const BUILD_TIMEOUT_MS = 300_000;

const PACKAGE = "packages/tensor";
const GUIDE = join(ROOT, "docs/tensor.md");
/** Where the guide tells its readers to put its listings. */
const SCRATCH = "src/scratch.ts";
const END_OF_LISTING = "--- end of listing ---";

/** A fenced block: ```` ```language path before anchor ````, the last two optional. */
interface Block {
  readonly language: string;
  /** A file of the package; what follows `text` says when the output is expected. */
  readonly path: string | undefined;
  /** The beginning of the line that the block stands before; the whole file when absent. */
  readonly anchor: string | undefined;
  readonly text: string;
}

const guide = readFileSync(GUIDE, "utf8");

const blocks: readonly Block[] = [
  ...guide.matchAll(/^```(\w+)(?: (\S+))?(?: before (.+))?\n([\s\S]*?)^```$/gm),
].map(([, language, path, anchor, text]) => ({ language: language!, path, anchor, text: text! }));

const listings = blocks.filter(({ language, path }) => language === "ts" && path === undefined);
const exampleFiles = blocks.filter(({ language, path }) => language !== "text" && path !== undefined);

/** The package with what it needs to run in place, in a folder of its own. */
function copyPackage(): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "flacuna-guide-")));
  const home = join(root, PACKAGE);
  const isSource = (path: string) => !["node_modules", "dist"].includes(basename(path));
  cpSync(join(ROOT, PACKAGE), home, { recursive: true, filter: isSource });
  const settings = readdirSync(ROOT).filter((name) => /^(tsconfig|vitest)\./.test(name));
  for (const file of settings) cpSync(join(ROOT, file), join(root, file));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  symlinkSync(join(ROOT, PACKAGE, "node_modules"), join(home, "node_modules"));
  return root;
}

/** Does with a block what the guide says. */
function apply(home: string, { path, anchor, text }: Block): void {
  const file = join(home, path!);
  if (anchor === undefined) {
    expect(existsSync(file), `${path} is new`).toBe(false);
    writeFileSync(file, text);
    return;
  }
  const lines = readFileSync(file, "utf8").split("\n");
  const at = lines.findIndex((line) => line.trimStart().startsWith(anchor));
  expect(at, `${path} has a line that begins with ${anchor}`).toBeGreaterThanOrEqual(0);
  lines.splice(at, 0, ...text.trimEnd().split("\n"), ...(text.endsWith("\n\n") ? [""] : []));
  writeFileSync(file, lines.join("\n"));
}

/** The example's tests are not to be counted beside this one. */
const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", VITEST_JSON_DIR: "" };

/** What a tool of the workspace prints in the copy; its words when it fails. */
function run(home: string, tool: string, args: readonly string[]): string {
  try {
    const options = { cwd: home, encoding: "utf8", stdio: "pipe", env: environment } as const;
    return execFileSync(join(ROOT, "node_modules/.bin", tool), args, options);
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${tool} ${args.join(" ")}:\n${stdout}${stderr}`);
  }
}

describe("docs/tensor.md", () => {
  let root: string;
  let home: string;

  beforeAll(() => {
    root = copyPackage();
    home = join(root, PACKAGE);
    for (const block of exampleFiles) apply(home, block);
    const script = listings.map(({ text }) => `${text}console.log(${JSON.stringify(END_OF_LISTING)});\n`);
    writeFileSync(join(home, SCRATCH), script.join(""));
  });

  afterAll(() => {
    if (root !== undefined) rmSync(root, { recursive: true, force: true });
  });

  it("has an example and listings whose types are right", () => {
    const sources = exampleFiles.flatMap(({ language, path }) => (language === "ts" ? [path!] : []));
    const project = { extends: "./tsconfig.json", include: [SCRATCH, ...sources] };
    writeFileSync(join(home, "tsconfig.guide.json"), JSON.stringify(project));
    expect(run(home, "tsc", ["-p", "tsconfig.guide.json", "--noEmit", "--pretty", "false"])).toBe("");
  });

  it("has an example that passes its own tests", { timeout: BUILD_TIMEOUT_MS }, () => {
    const [test] = exampleFiles.flatMap(({ path }) => (path?.endsWith(".test.ts") ? [path] : []));
    expect(run(home, "vitest", ["run", test!])).toMatch(/Tests +3 passed/);
  });

  it("has listings that print what is written under them", { timeout: BUILD_TIMEOUT_MS }, async () => {
    const { path } = await tensor.kernelStatus();
    const printed = run(home, "tsx", [SCRATCH]).split(`${END_OF_LISTING}\n`);
    expect(printed).toHaveLength(listings.length + 1);
    for (const [index, listing] of listings.entries()) {
      const expected = blocks[blocks.indexOf(listing) + 1]!;
      expect(expected.language, `what follows ${listing.text}`).toBe("text");
      if (expected.path === "with-kernels" && path === undefined) continue;
      expect(printed[index]).toBe(expected.text);
    }
  });

  it("links to files that exist", () => {
    const targets = [...guide.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.filter((target) => !existsSync(join(dirname(GUIDE), target)))).toEqual([]);
  });

  it("links to headings that it has", () => {
    const headings = [...guide.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    const anchors = [...guide.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
    expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
  });
});

describe("packages/tensor/README.md", () => {
  it("lists every public function, class and constant", () => {
    const readme = readFileSync(join(ROOT, PACKAGE, "README.md"), "utf8");
    expect(Object.keys(tensor).filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});
