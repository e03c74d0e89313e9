import { describe, expect, it } from "vitest";
import { FLAN_MINI_COMPONENTS } from "./flan-mini.ts";
import { type CappedMixture, cappedMixture, type MixtureItem, WeightedMixture } from "./mixture.ts";

const sources = [
  { name: "a", length: 100, cap: 30 },
  { name: "b", length: 20 },
  { name: "c", length: 5, cap: 50 },
];

const itemsOf = (mixture: CappedMixture): MixtureItem[] =>
  Array.from({ length: mixture.length }, (_, position) => mixture.at(position));

const draw = (mixture: WeightedMixture, count: number): MixtureItem[] =>
  Array.from({ length: count }, () => mixture.next());

const nameOf = ({ source, index }: MixtureItem): string => `${source}/${index}`;

describe("cappedMixture()", () => {
  it("uses as many rows of each source as its cap leaves, each once", () => {
    const mixture = cappedMixture({ sources, seed: 1 });
    const items = itemsOf(mixture);
    expect(mixture.counts).toEqual({ a: 30, b: 20, c: 5 });
    expect(new Set(items.map(nameOf)).size).toBe(55);
    expect(items.filter(({ source }) => source === "a")).toHaveLength(30);
  });

  it("is the same for the same seed and another for others", () => {
    const items = itemsOf(cappedMixture({ sources, seed: 1 }));
    expect(itemsOf(cappedMixture({ sources, seed: 1 }))).toEqual(items);
    expect(itemsOf(cappedMixture({ sources, seed: 2 }))).not.toEqual(items);
  });

  it("tells which rows it uses", () => {
    const mixture = cappedMixture({ sources, seed: 1 });
    const used = new Set(itemsOf(mixture).map(nameOf));
    for (let index = 0; index < 100; index++) {
      expect(mixture.includes({ source: "a", index })).toBe(used.has(`a/${index}`));
    }
    expect(mixture.includes({ source: "unknown", index: 0 })).toBe(false);
  });

  it("chooses a source's rows whatever the other sources are", () => {
    const chosenOf = (mixture: CappedMixture) =>
      itemsOf(mixture)
        .filter(({ source }) => source === "a")
        .map(nameOf)
        .sort();
    const alone = cappedMixture({ sources: sources.slice(0, 1), seed: 1 });
    expect(chosenOf(alone)).toEqual(chosenOf(cappedMixture({ sources: sources.toReversed(), seed: 1 })));
  });

  it("grows a source's rows with its cap without exchanging any", () => {
    const larger = cappedMixture({ sources: [{ name: "a", length: 100, cap: 60 }], seed: 1 });
    const smaller = cappedMixture({ sources: [{ name: "a", length: 100, cap: 30 }], seed: 1 });
    expect(itemsOf(smaller).every((item) => larger.includes(item))).toBe(true);
  });

  it("expresses FLAN-MINI: ten components cut to the paper's sizes", () => {
    const components = FLAN_MINI_COMPONENTS.map(({ name, paperSize }) => ({
      name,
      length: 5_000_000,
      cap: paperSize,
    }));
    const mixture = cappedMixture({ sources: components, seed: 0 });
    expect(mixture.length).toBe(1_340_000);
    const drawn = Array.from({ length: 2_000 }, (_, i) => mixture.at(i).source);
    // 388 of 1,340 in 2,000 draws are 579 on average; six standard deviations are 122.
    expect(Math.abs(drawn.filter((name) => name === "flan2021").length - 579)).toBeLessThan(122);
  });

  it("refuses two sources of one name", () => {
    const twice = [sources[1]!, sources[1]!];
    expect(() => cappedMixture({ sources: twice, seed: 0 })).toThrow("two sources have one name");
  });

  it("is empty without sources", () => {
    expect(cappedMixture({ sources: [], seed: 0 }).length).toBe(0);
  });
});

describe("WeightedMixture", () => {
  const weighted = [
    { name: "a", length: 40, weight: 3 },
    { name: "b", length: 10, weight: 1 },
    { name: "none", length: 10, weight: 0 },
  ];

  it("goes on after a restore as if it had never stopped", () => {
    const uninterrupted = draw(new WeightedMixture({ sources: weighted, seed: 5 }), 300);
    const first = new WeightedMixture({ sources: weighted, seed: 5 });
    const before = draw(first, 123);
    const second = new WeightedMixture({ sources: weighted, seed: 5 });
    second.restore(JSON.parse(JSON.stringify(first.state())));
    expect([...before, ...draw(second, 177)]).toEqual(uninterrupted);
  });

  it("draws sources in proportion to their weights", () => {
    const items = draw(new WeightedMixture({ sources: weighted, seed: 5 }), 4_000);
    const ofA = items.filter(({ source }) => source === "a").length;
    // Expected 3,000; six standard deviations are 164.
    expect(Math.abs(ofA - 3_000)).toBeLessThan(164);
    expect(items.some(({ source }) => source === "none")).toBe(false);
  });

  it("uses up a source before it repeats a row, then in another order", () => {
    const items = draw(new WeightedMixture({ sources: weighted, seed: 5 }), 400);
    const indices = items.filter(({ source }) => source === "a").map(({ index }) => index);
    const rounds = [indices.slice(0, 40), indices.slice(40, 80)];
    expect(rounds.map((round) => new Set(round).size)).toEqual([40, 40]);
    expect(rounds[0]).not.toEqual(rounds[1]);
  });

  it("weighs a source by the rows its cap leaves when it has no weight", () => {
    const mixture = new WeightedMixture({
      sources: [
        { name: "a", length: 90, cap: 10 },
        { name: "b", length: 30 },
      ],
      seed: 0,
    });
    const items = draw(mixture, 4_000);
    const fromA = items.filter(({ source }) => source === "a");
    expect(Math.abs(fromA.length - 1_000)).toBeLessThan(164);
    expect(new Set(fromA.map(({ index }) => index)).size).toBe(10);
  });

  it("iterates over its draws", () => {
    const drawn = draw(new WeightedMixture({ sources: weighted, seed: 5 }), 2);
    const iterated: MixtureItem[] = [];
    for (const item of new WeightedMixture({ sources: weighted, seed: 5 }))
      if (iterated.push(item) === 2) break;
    expect(iterated).toEqual(drawn);
  });

  it("refuses a state of another mixture", () => {
    const mixture = new WeightedMixture({ sources: weighted, seed: 5 });
    for (const state of [
      { seed: 6, drawn: { a: 1, b: 1 } },
      { seed: 5, drawn: { a: 1 } },
      { seed: 5, drawn: { a: 1, b: 1, c: 1 } },
    ]) {
      expect(() => mixture.restore(state)).toThrow(expect.objectContaining({ code: "DATA_STATE_MISMATCH" }));
    }
  });

  it("refuses weights with nothing to draw", () => {
    expect(() => new WeightedMixture({ sources: [], seed: 0 })).toThrow("needs a source");
    expect(() => new WeightedMixture({ sources: [{ name: "a", length: 0, weight: 1 }], seed: 0 })).toThrow(
      "no rows",
    );
    expect(() => new WeightedMixture({ sources: [{ name: "a", length: 1, weight: -1 }], seed: 0 })).toThrow(
      "weight of source a",
    );
  });
});
