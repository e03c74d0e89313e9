// The six packages as a stranger gets them: packed, and installed from their tarballs into an empty folder.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packAll, ROOT } from "../../tools/pack.ts";
import { runPnpm } from "../../tools/pnpm.ts";

/** A project that depends on the tarballs of all packages, with the first example of each README in a folder of its own. */
export interface InstalledPackages {
  /** Compiler messages about each example, by package; the example compiles when its list is empty. */
  readonly typeErrors: ReadonlyMap<string, readonly string[]>;
  /** Folder of a package's example, which holds `example.js`. */
  exampleFolder(name: string): string;
  remove(): void;
}

/** Text of the first TypeScript block of a package's README; undefined while there is none. */
export function readExample(name: string): string | undefined {
  const path = join(ROOT, `packages/${name}/README.md`);
  return existsSync(path) ? /^```ts\n([\s\S]*?)^```/m.exec(readFileSync(path, "utf8"))?.[1] : undefined;
}

/** Packs, installs and compiles; the packages must be built. */
export function installPackages(examples: ReadonlyMap<string, string>): InstalledPackages {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "flacuna-install-")));
  const exampleFolder = (name: string) => join(folder, "examples", name);
  try {
    install(folder);
    for (const [name, text] of examples) {
      mkdirSync(exampleFolder(name), { recursive: true });
      writeFileSync(join(exampleFolder(name), "example.ts"), text);
    }
    const typeErrors = compile(folder, [...examples.keys()]);
    return { typeErrors, exampleFolder, remove: () => rmSync(folder, { recursive: true, force: true }) };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function install(folder: string): void {
  const tarballs = Object.fromEntries(
    packAll(folder).map(({ member, file }) => [member.name, `file:${file}`]),
  );
  // The packages name each other by version, and no registry has these versions yet.
  const manifest = { private: true, type: "module", dependencies: tarballs, pnpm: { overrides: tarballs } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  runPnpm(folder, ["install", "--prod", "--prefer-offline", "--no-frozen-lockfile"]);
}

/** Compiles every example against the published types, as a user's strict project would. */
function compile(folder: string, names: readonly string[]): Map<string, string[]> {
  const compilerOptions = {
    target: "es2022",
    module: "nodenext",
    lib: ["es2023", "esnext.disposable"],
    strict: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    rootDir: ".",
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["examples"] }));
  const output = runCompiler(folder);
  return new Map(
    names.map((name) => [name, output.split("\n").filter((line) => line.startsWith(`examples/${name}/`))]),
  );
}

/** What `tsc` printed; it emits also where it finds errors. */
function runCompiler(folder: string): string {
  try {
    const compiler = join(ROOT, "node_modules/.bin/tsc");
    return execFileSync(compiler, ["-p", ".", "--pretty", "false"], { cwd: folder, encoding: "utf8" });
  } catch (error) {
    const { stdout, message } = error as { stdout?: string; message: string };
    if (!stdout?.includes("examples/")) throw new Error(`tsc: ${stdout || message}`, { cause: error });
    return stdout;
  }
}
