// One broken rule at one place, and how it is printed.

/** What a check has to say about a file; `advice` is the sentence that tells what to do. */
export interface Finding {
  /** Path from the repository root. */
  readonly file: string;
  /** 1-based; 0 when the finding is about the whole file or its absence. */
  readonly line: number;
  readonly rule: string;
  readonly advice: string;
}

/** `file:line  rule  advice`, which editors and terminals turn into a link. */
export function formatFinding({ file, line, rule, advice }: Finding): string {
  return `${file}${line > 0 ? `:${line}` : ""}  [${rule}]  ${advice}`;
}

/** Findings in the order of their places. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}
