import { describe, expect, it } from "vitest";
import { flatten, mapTree } from "./tree.ts";

const isNumber = (value: unknown): value is number => typeof value === "number";
const tree = { layers: [{ weight: 1, bias: 2 }, { weight: 3 }], "model.norm": 4, none: [] };

describe("flatten()", () => {
  it("lists leaves by path: arrays by index, objects by insertion", () => {
    expect(flatten(tree, isNumber).map(({ path, leaf }) => `${path}=${leaf}`)).toEqual([
      "layers.0.weight=1",
      "layers.0.bias=2",
      "layers.1.weight=3",
      "model.norm=4",
    ]);
  });

  it("takes a leaf alone for a tree of one", () => {
    expect(flatten(5, isNumber)).toEqual([{ path: "", leaf: 5 }]);
  });

  it("names the place of what is neither leaf nor branch", () => {
    expect(() => flatten({ a: [1, new Date()] }, isNumber)).toThrow(
      /a\.1: expected a leaf, array or object, got Date/,
    );
    expect(() => flatten({ a: null }, isNumber)).toThrow(/a: .*got null/);
    expect(() => flatten(undefined, isNumber)).toThrow(/tree: .*got undefined/);
  });
});

describe("mapTree()", () => {
  it("keeps the structure and visits leaves in the order of flatten()", () => {
    const paths: string[] = [];
    const doubled = mapTree(tree, isNumber, (leaf, path) => {
      paths.push(path);
      return leaf * 2;
    });
    expect(doubled).toEqual({ layers: [{ weight: 2, bias: 4 }, { weight: 6 }], "model.norm": 8, none: [] });
    expect(paths).toEqual(flatten(tree, isNumber).map(({ path }) => path));
  });
});
