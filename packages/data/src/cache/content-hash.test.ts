import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { VICUNA } from "../fixtures/vicuna-template.ts";
import { hashFile, hashTemplate } from "./content-hash.ts";

const folder = temporaryFolder();

describe("hashFile()", () => {
  it("is the SHA-256 of the content, compressed or not", async () => {
    writeFileSync(join(folder, "a.txt"), "abc");
    writeFileSync(join(folder, "a.txt.gz"), gzipSync("abc"));
    // FIPS 180-2, appendix B.1.
    const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(await hashFile(join(folder, "a.txt"))).toBe(expected);
    expect(await hashFile(join(folder, "a.txt.gz"))).toBe(expected);
  });
});

describe("hashTemplate()", () => {
  it("changes with the marks and with the text", () => {
    const others = [
      { ...VICUNA, endOfTurn: "<|im_end|>" },
      { ...VICUNA, responseMarker: "ASSISTANT:" },
      {
        ...VICUNA,
        format: (messages: Parameters<typeof VICUNA.format>[0]) => `${VICUNA.format(messages)}\n`,
      },
    ];
    expect(new Set([VICUNA, ...others].map(hashTemplate)).size).toBe(4);
    expect(hashTemplate({ ...VICUNA })).toBe(hashTemplate(VICUNA));
  });
});
