// Adds up the test counts that the packages' runs left behind and prints them as one line: `N passed, N failed`.
// Arguments: the folder of vitest's JSON reports, the number of other checks that failed (each counts as one failure),
// and 1 when the test runs exited badly, which is a failure even where no report shows one.
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT } from "./pack.ts";
import { countTests, type TestCounts, type VitestReport } from "./test-counts.ts";
import { MEMBERS } from "./workspace.ts";

const [folder, failedChecks = "0", testsExitedBadly = "0"] = process.argv.slice(2);
if (folder === undefined)
  throw new Error("usage: sum-test-results.ts FOLDER [FAILED_CHECKS] [TESTS_EXITED_BADLY]");

const hasTests = (home: string): boolean =>
  "test" in (JSON.parse(readFileSync(join(ROOT, home, "package.json"), "utf8")).scripts ?? {});

/** A package whose run left no report has failed: it crashed, hung or was never started. */
function readCounts(home: string): TestCounts {
  const path = join(folder!, `${basename(home)}.json`);
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  return countTests(JSON.parse(readFileSync(path, "utf8")) as VitestReport);
}

const rows = MEMBERS.filter((member) => hasTests(member.folder)).map(
  ({ name, folder: home }) => [name, readCounts(home)] as const,
);
const total = (key: keyof TestCounts): number => rows.reduce((sum, [, counts]) => sum + counts[key], 0);

for (const [name, { passed, failed, skipped }] of rows) {
  console.log(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
}
const failedTests = Math.max(total("failed"), Number(testsExitedBadly));
const failed = failedTests + Number(failedChecks);
console.log(`${failedChecks} other checks failed`);
console.log(`${total("passed")} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
