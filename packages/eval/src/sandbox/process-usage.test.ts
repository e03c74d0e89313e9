import { describe, expect, it } from "vitest";
import { readProcessUsage } from "./process-usage.ts";

describe.runIf(process.platform === "linux")("readProcessUsage()", () => {
  it("sees memory and growing processor time", () => {
    const before = readProcessUsage(process.pid)!;
    const end = process.cpuUsage().user + 100_000;
    while (process.cpuUsage().user < end) JSON.stringify(before);
    const after = readProcessUsage(process.pid)!;
    expect(before.residentBytes).toBeGreaterThan(10_000_000);
    expect(after.mainThreadMs - before.mainThreadMs).toBeGreaterThanOrEqual(50);
  });

  it("knows nothing of a process that does not exist", () => {
    expect(readProcessUsage(2 ** 30)).toBeUndefined();
  });
});
