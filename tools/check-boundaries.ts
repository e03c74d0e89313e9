// Checks the structure of the repository: who imports whom, what every package has, how files are named.
// Run by `pnpm run check`; the rules are in import-rules.ts and package-rules.ts.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatFinding, sortFindings } from "./finding.ts";
import { checkCycles, checkImports } from "./import-rules.ts";
import { checkFrontDoor, checkManifest, checkNaming, checkRequiredFiles } from "./package-rules.ts";
import { parseSourceFile, type SourceFile } from "./source-file.ts";
import { isTestFile, MEMBERS, memberOf, PUBLISHED_MEMBERS } from "./workspace.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Tracked files, and new ones that git does not ignore. */
function listFiles(): string[] {
  const output = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
  });
  return [...new Set(output.split("\0"))].filter((path) => path !== "" && existsSync(join(root, path)));
}

const readText = (path: string): string => readFileSync(join(root, path), "utf8");

const files = listFiles();
const fileSet = new Set(files);
const sources: readonly SourceFile[] = files
  .filter((path) => /\.(ts|mts|mjs)$/.test(path) && memberOf(path) !== undefined)
  .map((path) => parseSourceFile(path, readText(path)));

const findings = sortFindings([
  ...sources.flatMap(checkImports),
  ...MEMBERS.flatMap(({ folder }) =>
    checkCycles(sources.filter(({ path }) => path.startsWith(`${folder}/`) && !isTestFile(path))),
  ),
  ...sources.flatMap(({ path, text }) => checkNaming(path, text)),
  ...PUBLISHED_MEMBERS.flatMap((member) => {
    const index = sources.find(({ path }) => path === `${member.folder}/src/index.ts`);
    return [
      ...checkRequiredFiles(member, fileSet),
      ...checkManifest(member, JSON.parse(readText(`${member.folder}/package.json`))),
      ...(index === undefined ? [] : checkFrontDoor(index)),
    ];
  }),
]);

for (const finding of findings) console.log(formatFinding(finding));
console.log(`${findings.length} boundary findings in ${sources.length} files of ${MEMBERS.length} members`);
process.exitCode = findings.length > 0 ? 1 : 0;
