import { describe, expect, it } from "vitest";
import { PageAllocator } from "./page-allocator.ts";

function allocator(count: number) {
  const evicted: number[] = [];
  return { pages: new PageAllocator(count, (page) => evicted.push(page)), evicted };
}

describe("PageAllocator", () => {
  it("gives out every page once, low ones first, and then none", () => {
    const { pages } = allocator(3);
    expect([pages.take(), pages.take(), pages.take(), pages.take()]).toEqual([0, 1, 2, undefined]);
    expect(pages.available).toBe(0);
  });

  it("gives out a page of no worth again at once", () => {
    const { pages, evicted } = allocator(2);
    const page = pages.take()!;
    pages.release(page, false);
    expect(pages.take()).toBe(page);
    expect(evicted).toEqual([]);
  });

  it("frees a page with its last user", () => {
    const { pages } = allocator(1);
    const page = pages.take()!;
    pages.share(page);
    pages.release(page, false);
    expect(pages.available).toBe(0);
    pages.release(page, false);
    expect(pages.available).toBe(1);
  });

  it("takes empty pages before kept ones, and of these the least recently used", () => {
    const { pages, evicted } = allocator(3);
    for (const page of [pages.take()!, pages.take()!]) pages.release(page, true);
    pages.share(0);
    pages.release(0, true);
    expect([pages.take(), pages.take(), pages.take()]).toEqual([2, 1, 0]);
    expect(evicted).toEqual([1, 0]);
  });

  it("counts kept pages as available, and brings one back to use", () => {
    const { pages, evicted } = allocator(1);
    pages.release(pages.take()!, true);
    expect([pages.available, pages.keptCount]).toEqual([1, 1]);
    pages.share(0);
    expect([pages.available, pages.keptCount, pages.take()]).toEqual([0, 0, undefined]);
    expect(evicted).toEqual([]);
  });
});
