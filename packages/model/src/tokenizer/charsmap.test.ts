import { describe, expect, it } from "vitest";
import { ModelError } from "../errors.ts";
import { createCharsmap } from "./charsmap.ts";

/** Two rules in a trie by hand: "a" becomes "bc", "aa" becomes nothing. */
function handMade(): Uint8Array {
  const LEAF = 1 << 8;
  const offset = (to: number) => to << 10;
  const units = new Uint32Array(1024);
  const a = "a".charCodeAt(0);
  // Children of the root lie at 256 ^ byte, those of "a" at 512 ^ byte, those of "aa" at 768 ^ byte; a value at ^ 0.
  units[0] = offset(256);
  units[256 ^ a] = (a | LEAF | offset(256 ^ a ^ 512)) >>> 0;
  units[512] = 0x80000000;
  units[512 ^ a] = (a | LEAF | offset(512 ^ a ^ 768)) >>> 0;
  units[768] = (0x80000000 | 3) >>> 0;
  const trie = Buffer.from(units.buffer);
  return Buffer.concat([
    Uint8Array.of(...new Uint8Array(Uint32Array.of(trie.length).buffer)),
    trie,
    Buffer.from("bc\0\0"),
  ]);
}

describe("createCharsmap()", () => {
  it("applies the longest rule at each place and keeps other characters", () => {
    const rewrite = createCharsmap(handMade());
    expect(rewrite("a")).toBe("bc");
    expect(rewrite("xaaya😀é世\ufeff")).toBe("xybc😀é世\ufeff");
    expect(rewrite("aaa")).toBe("bc");
    expect(rewrite("")).toBe("");
  });

  it("applies damaged rules somehow, and never out of bounds", () => {
    const good = handMade();
    for (let bit = 0; bit < 32; bit++) {
      for (const unit of [0, 256 ^ 97, 512, 512 ^ 97, 768]) {
        const damaged = Uint8Array.from(good);
        damaged[4 + 4 * unit + (bit >> 3)]! ^= 1 << (bit & 7);
        expect(typeof createCharsmap(damaged)("xaaya")).toBe("string");
      }
    }
  });

  it.each([[0], [3], [4], [7], [100]])("refuses a file of %i bytes, cut short", (length) => {
    expect(() => createCharsmap(handMade().subarray(0, length))).toThrow(ModelError);
  });
});
