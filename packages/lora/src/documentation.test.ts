import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as lora from "./index.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

describe("README", () => {
  it("lists every public function, class and constant", () => {
    const missing = Object.keys(lora).filter((name) => !readme.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});
