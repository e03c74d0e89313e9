// What a file may import and which globals it may touch; each rule a pure function from a file to its findings.
import { posix } from "node:path";
import { findCycles } from "./find-cycles.ts";
import type { Finding } from "./finding.ts";
import type { ImportStatement, SourceFile } from "./source-file.ts";
import { isTestFile, MEMBERS, type Member, memberOf, SCOPE } from "./workspace.ts";

/** Foreign packages with one home: no other shipped file may import them. */
const HOMES: Readonly<Record<string, { readonly home: RegExp; readonly where: string }>> = {
  "onnxruntime-node": { home: /^packages\/tensor\/src\/runtime\//, where: "packages/tensor/src/runtime" },
  koffi: {
    home: /^packages\/tensor\/src\/runtime\/c-api\.ts$/,
    where: "packages/tensor/src/runtime/c-api.ts",
  },
  protobufjs: { home: /^packages\/tensor\/src\//, where: "packages/tensor" },
  tokenizers: { home: /^packages\/model\/src\/tokenizer[./]/, where: "packages/model/src/tokenizer.ts" },
  fastify: { home: /^packages\/serve\/src\//, where: "packages/serve" },
};

/** Globals no package may touch, and what to use in their place. `*` stands for any property. */
const FORBIDDEN_GLOBALS: readonly { object: string; property: string; advice: string }[] = [
  { object: "Math", property: "random", advice: "take a seed and use a seeded generator" },
  { object: "console", property: "*", advice: "return what there is to say, or call back with it" },
  { object: "process", property: "exit", advice: "throw the package's error; only the app exits" },
];

/** Every rule of this file over one source file. */
export function checkImports(file: SourceFile): Finding[] {
  const member = memberOf(file.path);
  if (member === undefined) return [];
  return [
    ...file.imports.flatMap((statement) => checkImport(file, statement, member)),
    ...(member.isPublished && !isTestFile(file.path) ? checkGlobals(file) : []),
  ];
}

function checkImport(file: SourceFile, statement: ImportStatement, member: Member): Finding[] {
  const { specifier, line } = statement;
  const at = (rule: string, advice: string): Finding[] => [{ file: file.path, line, rule, advice }];
  if (specifier.startsWith(".")) return checkRelative(file, specifier, member, at);
  if (specifier.startsWith("node:") || specifier.startsWith("#")) return [];

  const name = packageName(specifier);
  const imported = MEMBERS.find((other) => other.name === name);
  if (imported !== undefined) {
    if (imported.name !== member.name && !member.mayImport.includes(name)) {
      return at("arrows", `${member.name} may not import ${name}; ${arrowAdvice(member)}`);
    }
    if (/\/(src|dist)(\/|$)/.test(specifier)) {
      return at("front-door", `import "${name}" by name, or ask its owner to export what you need`);
    }
    return [];
  }
  if (name.startsWith(SCOPE)) return at("arrows", `${name} is no member of this workspace`);
  const homeless = HOMES[name];
  if (homeless !== undefined && !isTestFile(file.path) && !homeless.home.test(file.path)) {
    return at("one-home", `only ${homeless.where} may import ${name}; call what it offers`);
  }
  return [];
}

function checkRelative(
  file: SourceFile,
  specifier: string,
  member: Member,
  at: (rule: string, advice: string) => Finding[],
): Finding[] {
  const target = posix.join(posix.dirname(file.path), specifier);
  const isSharedConfig = file.path === `${member.folder}/vitest.config.ts` && target === "vitest.base.ts";
  const owner = memberOf(target);
  const isAmongPrivate = !member.isPublished && owner?.isPublished === false;
  if (owner !== member && !isAmongPrivate && !isSharedConfig) {
    const name = owner?.name ?? "its owner";
    return at("front-door", `"${specifier}" leaves ${member.folder}; import ${name} by its published name`);
  }
  if (!/\.(ts|mts|mjs|json)$/.test(specifier)) {
    return at(
      "extension",
      `write "${specifier.replace(/\.js$/, "")}.ts": source imports name the source file`,
    );
  }
  if (isTestFile(target) && !isTestFile(file.path)) {
    return at("test-only", `"${specifier}" is for tests and is not published; move what you need out of it`);
  }
  return [];
}

function checkGlobals(file: SourceFile): Finding[] {
  return file.globalUses.flatMap(({ object, property, line }) => {
    const forbidden = FORBIDDEN_GLOBALS.find(
      (rule) => rule.object === object && (rule.property === "*" || rule.property === property),
    );
    if (forbidden === undefined) return [];
    return [{ file: file.path, line, rule: "globals", advice: `${object}.${property}: ${forbidden.advice}` }];
  });
}

/** Import cycles among the files of one member; what is imported for its type alone makes none. */
export function checkCycles(files: readonly SourceFile[]): Finding[] {
  const graph = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter(({ specifier, isTypeOnly }) => specifier.startsWith(".") && !isTypeOnly)
        .map(({ specifier }) => posix.join(posix.dirname(file.path), specifier)),
    ]),
  );
  return findCycles(graph).map((cycle) => {
    const [first, second] = cycle as [string, string];
    const source = files.find((file) => file.path === first)!;
    const line = source.imports.find(
      ({ specifier, isTypeOnly }) => !isTypeOnly && posix.join(posix.dirname(first), specifier) === second,
    )!.line;
    const route = cycle.map((path) => posix.basename(path)).join(" → ");
    return {
      file: first,
      line,
      rule: "cycle",
      advice: `${route}; move what both need into a file of its own`,
    };
  });
}

function arrowAdvice(member: Member): string {
  const allowed = member.mayImport.length === 0 ? "no workspace package" : member.mayImport.join(", ");
  return `it may import ${allowed}. Declare the small interface you need and let the app pass it in`;
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
