// A source file as its imports and the globals it uses, with line numbers; knows no rule.
import { type EcmaScriptModule, type Program, parseSync, Visitor } from "oxc-parser";

/** One `import`, `export … from` or `import()`. */
export interface ImportStatement {
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
  /** Whether nothing is left of it at run time. */
  readonly isTypeOnly: boolean;
}

/** A use of `object.property`, for the names asked for. */
export interface MemberUse {
  readonly object: string;
  readonly property: string;
  /** 1-based. */
  readonly line: number;
}

/** What the checks need to know of one file. */
export interface SourceFile {
  /** Path from the repository root. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly ImportStatement[];
  /** Every `name.property` where `name` is `Math`, `console` or `process`. */
  readonly globalUses: readonly MemberUse[];
  /** Lines of top-level statements that are not `export { … } from "…"`. */
  readonly linesBesidesReExports: readonly number[];
}

const WATCHED_GLOBALS: ReadonlySet<string> = new Set(["Math", "console", "process"]);

/**
 * The imports and uses of one file.
 *
 * @throws Error when the text is not valid TypeScript
 */
export function parseSourceFile(path: string, text: string): SourceFile {
  const { program, module, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  const lineAt = lineCounter(text);
  return {
    path,
    text,
    imports: importsOf(module, text, lineAt),
    globalUses: globalUsesOf(program, lineAt),
    linesBesidesReExports: linesBesidesReExports(program, lineAt),
  };
}

/** What a module exports, values first, each kind in order; types are marked `type`. */
export function exportedNames(path: string, text: string): string[] {
  const { module } = parseSync(path, text);
  const entries = module.staticExports.flatMap((statement) => statement.entries);
  const names = (isType: boolean): string[] =>
    entries
      .filter((entry) => entry.isType === isType)
      .map((entry) => entry.exportName.name ?? entry.exportName.kind)
      .sort();
  return [...names(false), ...names(true).map((name) => `type ${name}`)];
}

function importsOf(
  module: EcmaScriptModule,
  text: string,
  lineAt: (offset: number) => number,
): ImportStatement[] {
  const imports = module.staticImports.map(({ moduleRequest, entries, start }) => ({
    specifier: moduleRequest.value,
    line: lineAt(start),
    isTypeOnly: entries.length > 0 && entries.every((entry) => entry.isType),
  }));
  const exports = module.staticExports.flatMap(({ entries, start }) => {
    const specifier = entries.find((entry) => entry.moduleRequest !== null)?.moduleRequest?.value;
    if (specifier === undefined) return [];
    return [{ specifier, line: lineAt(start), isTypeOnly: entries.every((entry) => entry.isType) }];
  });
  const dynamic = module.dynamicImports.flatMap(({ moduleRequest, start }) => {
    const literal = /^["'`]([^"'`$]*)["'`]$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1];
    return literal === undefined ? [] : [{ specifier: literal, line: lineAt(start), isTypeOnly: false }];
  });
  return [...imports, ...exports, ...dynamic];
}

function globalUsesOf(program: Program, lineAt: (offset: number) => number): MemberUse[] {
  const uses: MemberUse[] = [];
  const visitor = new Visitor({
    MemberExpression({ object, property, start }) {
      if (object.type !== "Identifier" || !WATCHED_GLOBALS.has(object.name)) return;
      const name = property.type === "Identifier" ? property.name : property.type;
      uses.push({ object: object.name, property: name, line: lineAt(start) });
    },
  });
  visitor.visit(program);
  return uses;
}

function linesBesidesReExports(program: Program, lineAt: (offset: number) => number): number[] {
  return program.body
    .filter((statement) => !(statement.type === "ExportNamedDeclaration" && statement.source !== null))
    .map((statement) => lineAt(statement.start));
}

/** Offset to 1-based line, by bisection over the starts of lines. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
