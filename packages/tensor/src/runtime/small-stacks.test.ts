// A file of its own, as koffi's stacks can be set only once in a process.
import koffi from "koffi";
import { describe, expect, it } from "vitest";
import { loadRuntime } from "./library.ts";

describe("loadRuntime() after another use of koffi", () => {
  it("refuses to run on stacks that are too small, and says how to enlarge them", () => {
    koffi.load(process.platform === "win32" ? "kernel32.dll" : null);
    const error = expect.objectContaining({ code: "TENSOR_LIBRARY_INCOMPATIBLE" });
    expect(() => loadRuntime()).toThrow(error);
    expect(() => loadRuntime()).toThrow(/koffi\.config/);
  });
});
