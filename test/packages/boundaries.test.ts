// The structure checks of tools/ find what they are there to find, on sources as short as the offence.
import { describe, expect, it } from "vitest";
import { findCycles } from "../../tools/find-cycles.ts";
import { checkCycles, checkImports } from "../../tools/import-rules.ts";
import { checkContents } from "../../tools/package-contents.ts";
import { checkFrontDoor, checkManifest, checkNaming, checkRequiredFiles } from "../../tools/package-rules.ts";
import { parseSourceFile } from "../../tools/source-file.ts";
import { memberOf } from "../../tools/workspace.ts";

const rulesBrokenBy = (path: string, text: string): string[] =>
  checkImports(parseSourceFile(path, text)).map(({ rule, line }) => `${rule}:${line}`);

describe("checkImports()", () => {
  it.each([
    ["packages/tensor/src/a.ts", 'import { x } from "@flacuna/model";', "arrows:1"],
    ["packages/model/src/a.ts", '\nimport type { X } from "@flacuna/lora";', "arrows:2"],
    ["packages/eval/src/a.ts", 'export { x } from "@flacuna/model";', "arrows:1"],
    ["packages/data/src/a.test.ts", 'const x = await import("@flacuna/tensor");', "arrows:1"],
    ["packages/serve/src/a.ts", 'import { x } from "flacuna";', "arrows:1"],
    ["packages/lora/src/a.ts", 'import { x } from "@flacuna/model/src/llama.ts";', "front-door:1"],
    ["packages/lora/src/a.ts", 'import { x } from "../../model/src/llama.ts";', "front-door:1"],
    ["test/parity/a.test.ts", 'import { x } from "../../packages/model/src/llama.ts";', "front-door:1"],
    ["packages/tensor/src/compile.ts", 'import koffi from "koffi";', "one-home:1"],
    ["packages/model/src/llama.ts", 'import { Tokenizer } from "tokenizers";', "one-home:1"],
    ["packages/eval/src/a.ts", 'import fastify from "fastify";', "one-home:1"],
    ["packages/data/src/a.ts", 'import { x } from "./b.js";', "extension:1"],
    ["packages/data/src/a.ts", 'import { x } from "./fixtures/b.ts";', "test-only:1"],
    ["packages/data/src/a.ts", "\n\nexport const x = Math.random();", "globals:3"],
    ["packages/data/src/a.ts", "console.warn(1);", "globals:1"],
    ["packages/data/src/a.ts", "process.exit(1);", "globals:1"],
  ])("reports %s with %s", (path, text, expected) => {
    expect(rulesBrokenBy(path, text)).toEqual([expected]);
  });

  it.each([
    ["packages/lora/src/a.ts", 'import { x } from "@flacuna/tensor";\nimport { y } from "@flacuna/model";'],
    ["packages/tensor/src/runtime/c-api.ts", 'import koffi from "koffi";'],
    ["packages/model/src/tokenizer.ts", 'import { Tokenizer } from "tokenizers";'],
    ["packages/data/src/fixtures/a.ts", 'import { Tokenizer } from "tokenizers";'],
    ["packages/data/src/a.test.ts", "console.log(Math.random());"],
    ["packages/data/src/a.ts", "export const x = Math.floor(process.memoryUsage().rss);"],
    [
      "packages/data/src/a.ts",
      "// Math.random() and console.log() are forbidden\nexport const x = 'console.log';",
    ],
    ["packages/data/vitest.config.ts", 'export { default } from "../../vitest.base.ts";'],
    ["apps/flacuna/src/a.ts", 'import { x } from "@flacuna/eval";\nconsole.log(x);'],
    ["test/integration/a.test.ts", 'import { x } from "flacuna";'],
  ])("accepts %s with %s", (path, text) => {
    expect(rulesBrokenBy(path, text)).toEqual([]);
  });
});

describe("checkCycles()", () => {
  const files = (texts: Record<string, string>) =>
    Object.entries(texts).map(([name, text]) => parseSourceFile(`packages/data/src/${name}`, text));

  it("names the files of a cycle in order, at the line of the first import", () => {
    const findings = checkCycles(
      files({
        "a.ts": '\nimport { b } from "./b.ts";',
        "b.ts": 'export { c } from "./c.ts";',
        "c.ts": 'import { a } from "./a.ts";',
      }),
    );
    expect(findings).toMatchObject([{ file: "packages/data/src/a.ts", line: 2, rule: "cycle" }]);
    expect(findings[0]?.advice).toContain("a.ts → b.ts → c.ts → a.ts");
  });

  it("does not count imports of types", () => {
    const texts = {
      "a.ts": 'import { b } from "./b.ts";',
      "b.ts": 'import { type A, type B } from "./a.ts";',
    };
    expect(checkCycles(files(texts))).toEqual([]);
  });
});

describe("findCycles()", () => {
  it("finds a cycle that is not reached from its own first name, and a name that points at itself", () => {
    const graph = new Map([
      ["entry", ["a", "self"]],
      ["a", ["b"]],
      ["b", ["a"]],
      ["self", ["self"]],
    ]);
    expect(findCycles(graph)).toEqual([
      ["a", "b", "a"],
      ["self", "self"],
    ]);
  });

  it("finds nothing where two ways lead to one name", () => {
    const graph = new Map([
      ["top", ["left", "right"]],
      ["left", ["bottom"]],
      ["right", ["bottom"]],
    ]);
    expect(findCycles(graph)).toEqual([]);
  });
});

describe("checkNaming()", () => {
  it.each([
    ["packages/data/src/utils.ts", "// Everything.\n", "file-name"],
    ["packages/data/src/readJson.ts", "// Reads.\n", "file-name"],
    ["packages/data/src/Read/json.ts", "// Reads.\n", "file-name"],
    ["packages/data/src/json.ts", "export const x = 1;\n", "header"],
  ])("reports %s", (path, text, rule) => {
    expect(checkNaming(path, text).map((finding) => finding.rule)).toEqual([rule]);
  });

  it("accepts kebab-case with a header", () => {
    expect(checkNaming("packages/data/src/read/json-lines.ts", "// Reads lines.\n")).toEqual([]);
  });
});

describe("package rules", () => {
  const member = memberOf("packages/data/package.json")!;

  it("reports each required file that is missing", () => {
    const files = new Set(
      ["LICENSE", "package.json", "tsconfig.json", "src/index.ts"].map((name) => `packages/data/${name}`),
    );
    expect(checkRequiredFiles(member, files).map(({ file }) => file)).toEqual([
      "packages/data/README.md",
      "packages/data/src/errors.ts",
    ]);
  });

  it("reports wrong fields and a dependency that has another home", () => {
    const manifest = {
      name: "@flacuna/data",
      license: "MIT",
      type: "module",
      sideEffects: false,
      engines: { node: ">=20.10" },
      dependencies: { koffi: "^3.0.0" },
    };
    expect(checkManifest(member, manifest).map(({ advice }) => advice)).toEqual([
      '"license" must be "Apache-2.0"',
      "only packages/tensor may depend on koffi",
    ]);
  });

  it("reports logic and star exports in the front door", () => {
    const text = '// Names.\nexport { a } from "./a.ts";\nexport * from "./b.ts";\nexport const c = 1;\n';
    const lines = checkFrontDoor(parseSourceFile("packages/data/src/index.ts", text)).map(({ line }) => line);
    expect(lines).toEqual([3, 4]);
  });
});

describe("checkContents()", () => {
  const sound = new Map([
    ["package.json", '{ "dependencies": { "@flacuna/tensor": "^0.1.0" } }'],
    ["README.md", "# Name\n"],
    ["LICENSE", "Apache"],
    ["dist/index.js", "export {};"],
    ["dist/index.d.ts", "export {};"],
    ["src/index.ts", "export {};"],
  ]);

  it("accepts a package of sources, their build and its documents", () => {
    expect(checkContents(sound, ["/home/someone"])).toEqual([]);
  });

  it("accepts C sources with all that they include", () => {
    const native = new Map([
      ["native/kernels.c", '#include <math.h>\n#include "kernels.h"\n'],
      ["native/kernels.h", ""],
    ]);
    expect(checkContents(new Map([...sound, ...native]), [])).toEqual([]);
  });

  it.each([
    [
      "package.json",
      '{ "dependencies": { "@flacuna/tensor": "workspace:^" } }',
      "package.json depends on @flacuna/tensor",
    ],
    ["vitest.config.ts", "export {};", "vitest.config.ts should not be published"],
    ["src/readme.test.ts", "export {};", "src/readme.test.ts is for tests"],
    ["native/test/norm-test.c", "", "native/test/norm-test.c should not be published"],
    ["native/norm.c", '#include "vector.h"\n', "native/norm.c includes vector.h, which is missing"],
    ["dist/renamed.js", "export {};", "dist/renamed.js has no source"],
    ["src/new.ts", "export {};", "src/new.ts is not built"],
    ["README.md", "see /home/someone/notes", "README.md mentions /home/someone"],
  ])("reports %s holding %s", (path, text, sentence) => {
    const problems = checkContents(new Map([...sound, [path, text]]), ["/home/someone"]);
    expect(problems[0]).toContain(sentence);
  });

  it("reports a missing build", () => {
    const files = new Map([...sound].filter(([path]) => !path.startsWith("dist/")));
    expect(checkContents(files, [])).toContain("dist/index.js is missing");
  });
});
