import { describe, expect, it } from "vitest";
import { parseCsv } from "./csv.ts";

const cells = (text: string) => parseCsv(text, "x.csv").map((row) => row.cells);

describe("parseCsv()", () => {
  it("splits cells and rows", () => {
    expect(cells("a,b\nc,d\n")).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
  });

  it("keeps commas, line ends and doubled quotes inside quotes", () => {
    expect(cells('"a,b","c\nd","say ""hi""",e\n')).toEqual([["a,b", "c\nd", 'say "hi"', "e"]]);
  });

  it("keeps quotes inside bare cells, and spaces and empty cells everywhere", () => {
    expect(cells(' 5" pipe ,,"",x')).toEqual([[' 5" pipe ', "", "", "x"]]);
  });

  it("ends rows at any line end and keeps the ones in quotes as they are", () => {
    expect(cells('a,"b\r\nc"\r\nd,e\rf,g')).toEqual([
      ["a", "b\r\nc"],
      ["d", "e"],
      ["f", "g"],
    ]);
  });

  it("skips blank lines", () => {
    expect(cells("a,b\n\n\nc,d")).toHaveLength(2);
  });

  it("numbers rows by the line on which they begin", () => {
    expect(parseCsv('"a\nb",c\nd,e', "x.csv").map((row) => row.line)).toEqual([1, 3]);
  });

  it("names the row whose quote never closes", () => {
    expect(() => parseCsv('a,b\nc,"d\ne', "x.csv")).toThrowError(
      expect.objectContaining({ code: "EVAL_FILE_MALFORMED", file: "x.csv", record: 2 }),
    );
  });
});
