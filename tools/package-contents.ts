// What a published tarball may hold and must hold; pure functions of its files, which read no disk.

/** A tarball's files by path, relative to the package. */
export type PackageFiles = ReadonlyMap<string, string>;

interface PublishedManifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const REQUIRED = ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts", "src/index.ts"];
/** `native` holds C that is compiled where the package is used. */
const ALLOWED = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|(dist|src)\/.+|native\/[\w-]+\.[ch])$/;
const FOR_TESTS = /\.test(-d)?\.|(^|\/)(fixtures|__fixtures__|__tests__)\//;
const COMPILED = /\.(d\.ts|js|d\.ts\.map|js\.map|mjs|d\.mts)$/;

/**
 * Sentences on what is wrong with a tarball; none when it is fit to publish.
 *
 * @param machinePaths folders of the machine that packed it, which no file may mention
 */
export function checkContents(files: PackageFiles, machinePaths: readonly string[]): string[] {
  return [
    ...REQUIRED.filter((path) => !files.has(path)).map((path) => `${path} is missing`),
    ...[...files.keys()].flatMap(checkPath),
    ...checkMirror(files),
    ...checkIncludes(files),
    ...checkTexts(files, machinePaths),
    ...checkRanges(JSON.parse(files.get("package.json") ?? "{}")),
  ];
}

function checkPath(path: string): string[] {
  if (!ALLOWED.test(path)) return [`${path} should not be published; see "files" in package.json`];
  if (FOR_TESTS.test(path)) return [`${path} is for tests; exclude it in "files" and in tsconfig.build.json`];
  return [];
}

/** `dist` mirrors `src`: a file without a source is left over from an earlier build. */
function checkMirror(files: PackageFiles): string[] {
  const paths = [...files.keys()];
  const stems = (folder: string, extension: RegExp) =>
    new Set(
      paths
        .filter((path) => path.startsWith(folder) && extension.test(path))
        .map((path) => path.slice(folder.length).replace(extension, "")),
    );
  const built = stems("dist/", COMPILED);
  const written = stems("src/", /\.(ts|mts|mjs)$/);
  return [
    ...[...built]
      .filter((stem) => !written.has(stem))
      .map((stem) => `dist/${stem}.js has no source; delete dist and build`),
    ...[...written]
      .filter((stem) => !built.has(stem))
      .map((stem) => `src/${stem}.ts is not built; delete dist and build`),
  ];
}

/** Every C file that another one includes is there too. */
function checkIncludes(files: PackageFiles): string[] {
  return [...files]
    .filter(([path]) => path.startsWith("native/"))
    .flatMap(([path, text]) =>
      [...text.matchAll(/^#include "(.+)"$/gm)]
        .filter(([, included]) => !files.has(`native/${included}`))
        .map(([, included]) => `${path} includes ${included}, which is missing`),
    );
}

function checkTexts(files: PackageFiles, machinePaths: readonly string[]): string[] {
  return [...files].flatMap(([path, text]) =>
    machinePaths
      .filter((machinePath) => text.includes(machinePath))
      .map((machinePath) => `${path} mentions ${machinePath}, a folder of this machine`),
  );
}

function checkRanges(manifest: PublishedManifest): string[] {
  const { dependencies, peerDependencies, optionalDependencies } = manifest;
  return Object.entries({ ...dependencies, ...peerDependencies, ...optionalDependencies })
    .filter(([, range]) => /^(workspace|catalog|file|link|portal):/.test(range))
    .map(
      ([name, range]) =>
        `package.json depends on ${name} as "${range}", which only this workspace understands`,
    );
}
