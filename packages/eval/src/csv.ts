// Comma-separated values with double quotes, as pandas reads them without a header. Knows no benchmark.

import { EvalError } from "./errors.ts";

export interface CsvRow {
  readonly cells: readonly string[];
  /** One-based line on which the row begins. */
  readonly line: number;
}

/** A quoted cell (doubled quotes inside), or a bare one up to the next comma or line end; then what closes it. */
const CELL = /(?:"([^"]*(?:""[^"]*)*)"([^,\r\n]*)|([^,\r\n]*))(,|\r\n|\n|\r|$)/y;

/**
 * The rows of `text`; blank lines are skipped, quotes are removed, cells are otherwise unchanged, line ends in quotes too.
 *
 * @throws EvalError `EVAL_FILE_MALFORMED` at a quoted cell that never closes
 */
export function parseCsv(text: string, file: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const row: CsvRow & { cells: string[] } = { cells: [], line };
    let close: string | undefined = ",";
    while (close === ",") {
      CELL.lastIndex = at;
      const match = CELL.exec(text) as RegExpExecArray; // The bare alternative matches the empty cell.
      const [whole, quoted, afterQuote = "", bare = ""] = match;
      if (quoted === undefined && bare.startsWith('"')) {
        throw new EvalError("EVAL_FILE_MALFORMED", "a quoted cell never closes", { file, record: row.line });
      }
      row.cells.push(quoted === undefined ? bare : quoted.replaceAll('""', '"') + afterQuote);
      close = match[4];
      line += whole.split("\n").length - 1;
      at += whole.length;
    }
    if (row.cells.length > 1 || row.cells[0] !== "") rows.push(row);
  }
  return rows;
}
