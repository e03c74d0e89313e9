import { describe, expect, it } from "vitest";
import { pythonStrip } from "./python-strip.ts";

describe("pythonStrip()", () => {
  it("removes white space at both ends only", () => {
    expect(pythonStrip(" \n\t A b \r\n")).toBe("A b");
  });

  it("removes the separators that trim() leaves", () => {
    expect(pythonStrip("\x1c\x1f\x85A\u3000")).toBe("A");
  });

  it("keeps the byte-order mark and the zero-width space, as Python does", () => {
    expect(pythonStrip("\ufeffA\u200b")).toBe("\ufeffA\u200b");
  });
});
