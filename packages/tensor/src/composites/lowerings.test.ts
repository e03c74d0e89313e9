import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { CASES, NAN_CASES, programOf } from "../fixtures/lowering-cases.ts";
import { runEverywhere } from "../fixtures/lowerings.ts";
import type { CaseReport } from "../fixtures/lowerings-child.ts";
import { relativeError } from "../testing.ts";

const DEFAULT_TOLERANCE = 2e-5;
const child = fileURLToPath(new URL("../fixtures/lowerings-child.ts", import.meta.url));

describe("every lowering", () => {
  for (const each of CASES) {
    it(`computes ${each.name} as the interpreter does`, async () => {
      const { expected, lowerings } = await runEverywhere(programOf(each), each.args, each);
      expect(lowerings.length).toBeGreaterThan(0);
      for (const lowering of lowerings) {
        const errors = lowering.outputs.map((output, index) => relativeError(output, expected[index]!));
        const worst = Math.max(...errors);
        expect(worst, `${lowering.name}: ${errors}`).toBeLessThan(each.tolerance ?? DEFAULT_TOLERANCE);
      }
    });
  }

  it.each(NAN_CASES)("lets a NaN through $name", async (each) => {
    const { lowerings } = await runEverywhere(programOf(each), each.args, each);
    for (const { name, outputs } of lowerings) {
      const reached = outputs.map((output) => output.toNumbers().some(Number.isNaN));
      expect(reached, name).toEqual(outputs.map(() => true));
    }
  });
});

/** The first time, the process builds kernels with emulated tiles. */
const timeout = 240_000;

describe("the path of matrix tiles", () => {
  it("computes every case as the interpreter does, its tiles emulated", { timeout }, async ({ skip }) => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", child], {
      env: { ...process.env, FLACUNA_EMULATE_TILES: "1" },
    });
    const reports = JSON.parse(stdout) as CaseReport[] | null;
    if (reports === null) return skip("this CPU has no AVX-512, or there is no C compiler");
    expect(reports.map(({ name }) => name)).toEqual([...CASES, ...NAN_CASES].map(({ name }) => name));
    CASES.forEach(({ name, tolerance = DEFAULT_TOLERANCE }, index) => {
      expect(reports[index]!.error, name).toBeLessThan(tolerance);
    });
    for (const { name, hasNaN } of reports.slice(CASES.length)) expect(hasNaN, name).toBe(true);
  });
});
