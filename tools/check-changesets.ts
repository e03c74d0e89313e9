// Checks that every package that was never released has a changeset, and that every changeset is well formed.
// Run by `pnpm run check`; what is well formed is in changeset-rules.ts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkChangeset, parseChangeset } from "./changeset-rules.ts";
import { ROOT } from "./pack.ts";
import { PUBLISHED_MEMBERS } from "./workspace.ts";

const folder = join(ROOT, ".changeset");
const published = PUBLISHED_MEMBERS.map(({ name }) => name);
const files = readdirSync(folder).filter((file) => file.endsWith(".md") && file !== "README.md");
const changesets = files.map(
  (file) => [file, parseChangeset(readFileSync(join(folder, file), "utf8"))] as const,
);

const announced = new Set(changesets.flatMap(([, changeset]) => Object.keys(changeset?.bumps ?? {})));
const problems = [
  ...changesets.flatMap(([file, changeset]) =>
    checkChangeset(changeset, published).map((problem) => `.changeset/${file}  ${problem}`),
  ),
  ...PUBLISHED_MEMBERS.filter(
    ({ folder: home, name }) => !existsSync(join(ROOT, home, "CHANGELOG.md")) && !announced.has(name),
  ).map(({ folder: home, name }) => `${home}  ${name} was never released and no changeset names it; add one`),
];

for (const problem of problems) console.log(problem);
console.log(`${problems.length} problems in ${files.length} changesets`);
process.exitCode = problems.length > 0 ? 1 : 0;
