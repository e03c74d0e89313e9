// What every published package has: its files, its manifest, its front door, and names that can be guessed. Reads no disk.
import type { Finding } from "./finding.ts";
import type { SourceFile } from "./source-file.ts";
import { isTestFile, type Member } from "./workspace.ts";

/** The parts of a package.json the rules look at. */
export interface Manifest {
  readonly name?: string;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const REQUIRED_FILES: Readonly<Record<string, string>> = {
  "README.md":
    "write it in the order of CONTRIBUTING.md: sentence, install, example, ideas, API, errors, limits, licence",
  LICENSE: "copy the root's",
  "package.json": "a package needs a manifest",
  "tsconfig.json": "extend ../../tsconfig.base.json",
  "src/index.ts": "export the public names, one by one",
  "src/errors.ts": "define the error class and its list of codes",
};

const REQUIRED_FIELDS: readonly {
  field: keyof Manifest;
  isRight(value: unknown): boolean;
  expected: string;
}[] = [
  { field: "license", isRight: (value) => value === "Apache-2.0", expected: '"Apache-2.0"' },
  { field: "type", isRight: (value) => value === "module", expected: '"module"' },
  { field: "sideEffects", isRight: (value) => value === false, expected: "false" },
  {
    field: "engines",
    isRight: (value) => (value as Manifest["engines"])?.node === ">=20.10",
    expected: '{ "node": ">=20.10" }',
  },
];

/** Where one name may be a dependency that users install; the import rules say the same of imports. */
const DEPENDENCY_HOMES: Readonly<Record<string, string>> = {
  "onnxruntime-node": "packages/tensor",
  koffi: "packages/tensor",
  protobufjs: "packages/tensor",
  tokenizers: "packages/model",
  fastify: "packages/serve",
};

const NAMELESS = /^(utils?|helpers?|common|misc|shared|types)\.ts$/;
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const FILE_NAME = /^(.+?)(\.test|\.test-d|\.config)?\.(ts|mts|mjs)$/;

/** Files that must be there and are not, among all `files` of the repository. */
export function checkRequiredFiles(member: Member, files: ReadonlySet<string>): Finding[] {
  return Object.entries(REQUIRED_FILES)
    .filter(([name]) => !files.has(`${member.folder}/${name}`))
    .map(([name, advice]) => ({
      file: `${member.folder}/${name}`,
      line: 0,
      rule: "required-file",
      advice: `missing; ${advice}`,
    }));
}

/** Fields of a published package's manifest, and dependencies that belong to another package. */
export function checkManifest(member: Member, manifest: Manifest): Finding[] {
  const at = (advice: string): Finding => ({
    file: `${member.folder}/package.json`,
    line: 0,
    rule: "manifest",
    advice,
  });
  const wrongFields = REQUIRED_FIELDS.filter(({ field, isRight }) => !isRight(manifest[field]));
  const strangers = Object.keys(manifest.dependencies ?? {}).filter(
    (name) => (DEPENDENCY_HOMES[name] ?? member.folder) !== member.folder,
  );
  return [
    ...(manifest.name === member.name ? [] : [at(`"name" must be "${member.name}"`)]),
    ...wrongFields.map(({ field, expected }) => at(`"${field}" must be ${expected}`)),
    ...strangers.map((name) => at(`only ${DEPENDENCY_HOMES[name]} may depend on ${name}`)),
  ];
}

/** The front door lists names and does nothing else. */
export function checkFrontDoor(file: SourceFile): Finding[] {
  return file.linesBesidesReExports.map((line) => ({
    file: file.path,
    line,
    rule: "front-door",
    advice: 'src/index.ts holds `export { name } from "./file.ts"` and nothing else',
  }));
}

/** File and folder names in kebab-case, none of which says nothing; a header that says what lives in a file. */
export function checkNaming(path: string, text: string): Finding[] {
  const at = (rule: string, advice: string): Finding => ({
    file: path,
    line: rule === "header" ? 1 : 0,
    rule,
    advice,
  });
  const parts = path.split("/");
  const name = parts.at(-1)!;
  const stem = FILE_NAME.exec(name)?.[1];
  const wrong = [...parts.slice(0, -1), ...(stem === undefined ? [] : [stem])].filter(
    (part) => !KEBAB_CASE.test(part),
  );
  const findings = wrong.map((part) => at("file-name", `"${part}" is not kebab-case`));
  if (NAMELESS.test(name)) findings.push(at("file-name", "name the file after the idea in it"));
  const needsHeader = !isTestFile(path) && !/(index|\.config)\.ts$/.test(name);
  if (needsHeader && !/^(#!.*\n)?\/[/*]/.test(text)) {
    findings.push(at("header", "open with a comment of one sentence: what lives here and what does not"));
  }
  return findings;
}
