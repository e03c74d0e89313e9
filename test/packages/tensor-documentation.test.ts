// The documentation of the engine at its word. docs/tensor.md: a copy of the package gets the files and lines of the worked
// example, compiles and passes the example's tests, and the listings print what is written under them.
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
import { basename, join } from "node:path";
import * as tensor from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../tools/pack.ts";
import { type Block, brokenLinks, expectPrinted, readGuide, runTool as run, scriptOf } from "./guide.ts";

/** The kernels are compiled with the example among them, on a machine that may be busy. */
const BUILD_TIMEOUT_MS = 300_000;

const PACKAGE = "packages/tensor";
/** Where the guide tells its readers to put its listings. */
const SCRATCH = "src/scratch.ts";

const guide = readGuide("docs/tensor.md");

const exampleFiles = guide.blocks.filter(({ language, path }) => language !== "text" && path !== undefined);

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

describe("docs/tensor.md", () => {
  let root: string;
  let home: string;

  beforeAll(() => {
    root = copyPackage();
    home = join(root, PACKAGE);
    for (const block of exampleFiles) apply(home, block);
    writeFileSync(join(home, SCRATCH), scriptOf(guide));
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
    expectPrinted(guide, run(home, "tsx", [SCRATCH]), () => path !== undefined);
  });

  it("links to files and headings that exist", () => {
    expect(brokenLinks(guide)).toEqual([]);
  });
});

describe("packages/tensor/README.md", () => {
  it("lists every public function, class and constant", () => {
    const readme = readFileSync(join(ROOT, PACKAGE, "README.md"), "utf8");
    expect(Object.keys(tensor).filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});
