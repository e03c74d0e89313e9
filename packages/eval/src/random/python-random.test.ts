import { describe, expect, it } from "vitest";
import { PythonRandom } from "./python-random.ts";

// Every expected number is CPython's own: random.seed(0), then the calls named.
describe("PythonRandom", () => {
  it("draws the 32-bit outputs of random.seed(0)", () => {
    const random = new PythonRandom(0);
    const drawn = Array.from({ length: 6 }, () => random.getRandomBits(32));
    expect(drawn).toEqual([3626764237, 1654615998, 3255389356, 3823568514, 1806341205, 173879092]);
  });

  it("draws 13 bits at a time", () => {
    const random = new PythonRandom(0);
    expect(Array.from({ length: 5 }, () => random.getRandomBits(13))).toEqual([6917, 3155, 6209, 7292, 3445]);
  });

  it("goes on past the first 624 outputs", () => {
    const random = new PythonRandom(0);
    for (let i = 0; i < 1999; i++) random.getRandomBits(32);
    expect(random.getRandomBits(32)).toBe(3908016617);
  });

  it("shuffles successive lists from one stream", () => {
    const random = new PythonRandom(0);
    const shuffled = [4, 3, 4, 4, 3, 4].map((length) =>
      random.shuffle(Array.from({ length }, (_, index) => index)),
    );
    expect(shuffled).toEqual([
      [2, 0, 1, 3],
      [0, 2, 1],
      [0, 2, 1, 3],
      [1, 0, 3, 2],
      [1, 0, 2],
      [1, 3, 0, 2],
    ]);
  });

  it("samples a large population by redrawing", () => {
    const items = Array.from({ length: 6917 }, (_, index) => index);
    expect(new PythonRandom(0).sample(items, 3)).toEqual([3155, 6209, 3445]);
  });

  it("samples a small population from a pool", () => {
    expect(new PythonRandom(0).sample([..."abcdefghij"], 4)).toEqual(["g", "j", "a", "c"]);
    expect(
      new PythonRandom(7).sample(
        Array.from({ length: 100 }, (_, index) => index),
        10,
      ),
    ).toEqual([41, 19, 50, 83, 6, 9, 68, 12, 46, 74]);
  });
});
