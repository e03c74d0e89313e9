// Checks what is shipped: packs every published package and holds the tarball to publint, to the resolution of its
// types and to the rules on its contents. Run by `pnpm run check:packages` after a build.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { packAll, ROOT, type Tarball } from "./pack.ts";
import { checkContents, type PackageFiles } from "./package-contents.ts";

const ATTW = join(ROOT, "tools/node_modules/.bin/attw");

function extract({ file, member }: Tarball, into: string): string {
  const folder = join(into, member.folder);
  mkdirSync(folder, { recursive: true });
  execFileSync("tar", ["-xzf", file, "-C", folder]);
  return join(folder, "package");
}

function readFiles(folder: string): PackageFiles {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => statSync(join(folder, path)).isFile());
  return new Map(files.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(folder, path), "utf8")]));
}

async function lint(folder: string): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: folder, pack: false, strict: true });
  return messages.map(
    (message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`,
  );
}

/** Problems in how TypeScript and Node resolve the package from ES modules; it has no CommonJS form. */
function resolveTypes(file: string): string[] {
  try {
    execFileSync(ATTW, [file, "--profile", "esm-only", "--no-color", "--no-emoji"], {
      encoding: "utf8",
      stdio: "pipe",
    });
    return [];
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return [`are the types wrong:\n${stdout}${stderr}`];
  }
}

const workFolder = mkdtempSync(join(tmpdir(), "flacuna-packages-"));
try {
  let problemCount = 0;
  for (const tarball of packAll(workFolder)) {
    const folder = extract(tarball, workFolder);
    const files = readFiles(folder);
    const problems = [
      ...checkContents(files, [ROOT, `${homedir()}/`]),
      ...(await lint(folder)),
      ...resolveTypes(tarball.file),
    ];
    problemCount += problems.length;
    console.log(`${tarball.member.name}: ${files.size} files, ${problems.length} problems`);
    for (const problem of problems) console.log(`  ${problem}`);
  }
  process.exitCode = problemCount > 0 ? 1 : 0;
} finally {
  rmSync(workFolder, { recursive: true, force: true });
}
