import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import * as data from "./index.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const example = /```ts\n(import[\s\S]*?)```/.exec(readme)![1]!;

describe("README", () => {
  it("has a first example that prints what its comments say", async () => {
    expect(example.trim().split("\n").length).toBeLessThanOrEqual(15);
    const log = vi.fn();
    const [, names, body] = /^import \{ (.*) \} from "@flacuna\/data";\n([\s\S]*)$/.exec(example)!;
    const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
    const run = AsyncFunction("data", "console", `const { ${names} } = data;\n${body}`);
    await run(data, { log });
    expect(log.mock.calls).toEqual([
      [1333452, 6701, 1264516],
      [1500, { source: expect.any(String), index: expect.any(Number) }],
      ["flan2021", "cot"],
    ]);
  });

  it("lists every public function, class and constant", () => {
    const missing = Object.keys(data).filter((name) => !readme.includes(`\`${name}\``));
    expect(missing).toEqual(["DATA_ERROR_CODES"]);
  });
});
