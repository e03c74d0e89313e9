import { describe, expect, it } from "vitest";
import { Mt19937 } from "./mt19937.ts";

describe("Mt19937", () => {
  it("gives the published first and ten-thousandth outputs of seed 5489", () => {
    // The C++ standard, [rand.predef]: the 10000th output of a default-constructed mt19937 is 4123659995.
    const generator = new Mt19937(5489);
    const outputs = Array.from({ length: 10_000 }, () => generator.nextUint32());
    expect([outputs[0], outputs[9_999]]).toEqual([3499211612, 4123659995]);
  });
});
