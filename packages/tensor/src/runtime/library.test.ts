import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadRuntime } from "./library.ts";

/** A shared library that every process of the platform can load and that is not ONNX Runtime. */
const SYSTEM_LIBRARY: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libc.so.6",
  darwin: "/usr/lib/libSystem.B.dylib",
  win32: "kernel32.dll",
};

const code = (value: string) => expect.objectContaining({ code: value });

describe("loadRuntime()", () => {
  it("loads the library of onnxruntime-node, once", () => {
    const runtime = loadRuntime();
    expect(runtime.version).toMatch(/^1\.\d+\.\d+$/);
    expect(loadRuntime()).toBe(runtime);
  });

  it("says that a path names no file", () => {
    const libraryPath = "/no/such/folder/libonnxruntime.so";
    expect(() => loadRuntime({ libraryPath })).toThrow(code("TENSOR_LIBRARY_MISSING"));
  });

  it("refuses a file that is no library", () => {
    const libraryPath = fileURLToPath(import.meta.url);
    expect(() => loadRuntime({ libraryPath })).toThrow(code("TENSOR_LIBRARY_INCOMPATIBLE"));
  });

  it("refuses a library that is not ONNX Runtime", () => {
    const libraryPath = SYSTEM_LIBRARY[process.platform]!;
    expect(() => loadRuntime({ libraryPath })).toThrow(/OrtGetApiBase/);
    expect(() => loadRuntime({ libraryPath })).toThrow(code("TENSOR_LIBRARY_INCOMPATIBLE"));
  });
});
