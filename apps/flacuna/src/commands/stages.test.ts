import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { NANO } from "../presets.ts";
import { addStages, presetOf } from "./stages.ts";

describe("presetOf()", () => {
  it("evaluates in the precision of the flags", () => {
    const { evaluate, ...others } = presetOf({ preset: "nano", precision: "int8" });
    expect(evaluate).toEqual({ ...NANO.evaluate, precision: "int8" });
    expect(NANO).toMatchObject(others);
  });

  it("leaves a preset as it is in float32, so that its results are still its own", () => {
    expect(presetOf({ preset: "nano" })).toBe(NANO);
    expect(presetOf({ preset: "nano", precision: "float32" })).toBe(NANO);
  });

  it("refuses a preset that there is not", () => {
    expect(() => presetOf({ preset: "micro" })).toThrow(/--preset micro: expected one of nano, paper/);
  });
});

describe("addStages()", () => {
  it("offers --precision where models are evaluated, and nowhere else", () => {
    const program = new Command();
    addStages(program, new AbortController().signal);
    const withPrecision = program.commands.filter(({ options }) =>
      options.some(({ long }) => long === "--precision"),
    );
    expect(withPrecision.map((command) => command.name())).toEqual(["evaluate", "report", "reproduce"]);
  });
});
