// The formats that are plain text: JSON, Markdown and the terminal's table.
import { describe, expect, it } from "vitest";
import { emptyReport, exampleReport } from "./fixtures/example-report.ts";
import { formatJson } from "./format-json.ts";
import { formatMarkdown } from "./format-markdown.ts";
import { formatTerminal } from "./format-terminal.ts";

describe("formatJson()", () => {
  it("returns the whole report when parsed, with the comparison and the published rows", () => {
    const { comparison, published, ...report } = JSON.parse(formatJson(exampleReport));
    const { samples, ...rest } = exampleReport;
    expect(report).toMatchObject(rest);
    expect(report.samples).toEqual(samples);
    expect(comparison[2]).toMatchObject({ benchmark: "drop", difference: { isPaired: false } });
    expect(published.zeroShot.flacuna.scores.bbh).toBe(32.5);
  });
});

describe("formatMarkdown()", () => {
  const markdown = formatMarkdown(exampleReport);

  it("gives every row of a table as many cells as its head", () => {
    const tables = markdown
      .trim()
      .split("\n\n")
      .filter((block) => block.startsWith("| "));
    expect(tables.length).toBeGreaterThan(5);
    for (const table of tables) {
      const cells = table.split("\n").map((line) => line.split(/(?<!\\)\|/).length);
      expect(new Set(cells).size).toBe(1);
    }
  });

  it("shows scores, errors, differences and the paper's row", () => {
    expect(markdown).toContain(
      "| CRASS | 34.7 ± 2.9 | 43.4 ± 3.0 | +8.7 ± 4.2 | 274 | 60.9 | 74.1 | +13.2 |",
    );
  });

  it("lets no tag through outside code blocks", () => {
    const prose = markdown.replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, "");
    expect(prose).not.toMatch(/<\w|<\//);
    expect(prose).toContain("&lt;script>note&lt;/script> \\| pipe");
  });

  it("fences an answer that holds backticks in longer ones", () => {
    expect(markdown).toContain("`````text\n<script>alert('before')</script>\n```\n| a | b |\n````\n`````");
  });

  it("says what is missing instead of leaving it out", () => {
    const empty = formatMarkdown(emptyReport);
    expect(empty).toContain("No training steps were recorded.");
    expect(empty).toContain("Not scored for both models in this run: MMLU, BBH");
    expect(empty).not.toMatch(/undefined|NaN/);
  });
});

describe("formatTerminal()", () => {
  const plain = formatTerminal(exampleReport);

  it("has no escape sequences unless it is for a terminal", () => {
    expect(plain).not.toContain("\u001b");
    expect(formatTerminal(exampleReport, { isTty: true })).toContain("\u001b[1m");
  });

  it("lets no escape sequence of the data through to a terminal", () => {
    const report = { ...exampleReport, notes: ["\u001b]0;title\u0007"] };
    const text = formatTerminal(report, { isTty: true });
    expect(text).not.toContain("\u001b]");
    expect(text).not.toContain("\u0007");
  });

  it("makes every line of the table equally wide", () => {
    const table = plain.split("\n\n")[0]!.split("\n");
    expect(table).toHaveLength(9);
    expect(new Set(table.map((line) => line.length)).size).toBe(1);
  });

  it("shows the paper beside our scores", () => {
    expect(plain).toMatch(/^DROP +9\.4 ± 0\.8 +17\.2 ± 1\.0 +\+7\.8 ± 1\.3 +1,000 +32\.6 +43\.6 +\+11\.0$/m);
  });

  it("names the base model and what its numbers do not mean", () => {
    expect(plain).toContain("Our base is Example-360M-chat (361,821,120 parameters)");
    expect(plain).toContain("not that the score is certain");
  });
});
