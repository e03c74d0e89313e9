import { describe, expect, it } from "vitest";
import { PrefixCache, pageText } from "./prefix-cache.ts";

describe("PrefixCache", () => {
  it("finds a page by its tokens and all those before", () => {
    const cache = new PrefixCache();
    const first = cache.add(cache.root(0), "1,2", 7);
    const second = cache.add(first, "3,4", 8);
    expect(cache.find(cache.root(0), "1,2")).toBe(first);
    expect(cache.find(first, "3,4")).toBe(second);
    expect(cache.find(cache.root(0), "3,4")).toBeUndefined();
  });

  it("keeps adapters apart", () => {
    const cache = new PrefixCache();
    cache.add(cache.root(1), "1,2", 7);
    expect(cache.find(cache.root(0), "1,2")).toBeUndefined();
    expect(cache.find(cache.root(1), "1,2")?.page).toBe(7);
  });

  it("finds a page no more once it is removed, and may get it again", () => {
    const cache = new PrefixCache();
    cache.add(cache.root(0), "1,2", 7);
    cache.remove(7);
    expect([cache.find(cache.root(0), "1,2"), cache.size]).toEqual([undefined, 0]);
    cache.add(cache.root(0), "1,2", 3);
    expect(cache.find(cache.root(0), "1,2")?.page).toBe(3);
  });
});

describe("pageText()", () => {
  it("is equal for equal tokens only", () => {
    expect(pageText([1, 23])).toBe(pageText([1, 23]));
    expect(pageText([1, 23])).not.toBe(pageText([12, 3]));
  });
});
