import { describe, expect, it } from "vitest";
import { findLaunch, permissionFlag } from "./launch.ts";

describe("permissionFlag()", () => {
  it.each([
    ["v20.10.0", "--experimental-permission"],
    ["v22.12.0", "--experimental-permission"],
    ["v22.13.0", "--permission"],
    ["v23.4.0", "--experimental-permission"],
    ["v23.5.0", "--permission"],
    ["v24.0.0", "--permission"],
  ])("spells the flag of Node %s", (version, flag) => {
    expect(permissionFlag(version)).toBe(flag);
  });
});

describe("findLaunch()", () => {
  it("lets a process read Pyodide and its own program, and nothing else", () => {
    const { command, pyodideFolder } = findLaunch();
    const readable = command.filter((part) => part.startsWith("--allow-"));
    expect(readable).toHaveLength(2);
    expect(readable[0]).toBe(`--allow-fs-read=${pyodideFolder}/*`);
    expect(readable[1]).toMatch(/^--allow-fs-read=.*child\.mjs$/);
  });
});
