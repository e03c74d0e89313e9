// docs/model.md at its word: its listings have the right types, and print what is written under them.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../tools/pack.ts";
import { brokenLinks, expectPrinted, readGuide, runTool, scriptOf } from "./guide.ts";

const TIMEOUT_MS = 300_000;

/** Where the guide tells its readers to put its listings. */
const SCRATCH = "test/scratch.ts";

const guide = readGuide("docs/model.md");

/** A folder in which the listings find what they find in the repository. */
function makeHome(): string {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "flacuna-guide-")));
  mkdirSync(join(home, "test"));
  for (const file of ["tsconfig.base.json", "test/package.json", "test/tsconfig.json"]) {
    cpSync(join(ROOT, file), join(home, file));
  }
  for (const folder of ["node_modules", "test/node_modules"]) {
    symlinkSync(join(ROOT, folder), join(home, folder));
  }
  return home;
}

describe("docs/model.md", () => {
  let home: string;

  beforeAll(() => {
    home = makeHome();
    writeFileSync(join(home, SCRATCH), scriptOf(guide));
  });

  afterAll(() => {
    if (home !== undefined) rmSync(home, { recursive: true, force: true });
  });

  it("has listings whose types are right", { timeout: TIMEOUT_MS }, () => {
    expect(runTool(home, "tsc", ["-p", "test/tsconfig.json", "--pretty", "false"])).toBe("");
  });

  it("has listings that print what is written under them", { timeout: TIMEOUT_MS }, () => {
    expectPrinted(guide, runTool(home, "tsx", ["-C", "@flacuna/source", SCRATCH]));
  });

  it("links to files and headings that exist", () => {
    expect(brokenLinks(guide)).toEqual([]);
  });
});
