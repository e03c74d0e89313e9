import { type DefaultTreeAdapterTypes, type ParserError, parse } from "parse5";
import { describe, expect, it } from "vitest";
import { emptyReport, exampleReport } from "./fixtures/example-report.ts";
import { formatHtml } from "./format-html.ts";
import { makePrintable } from "./html.ts";

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

function parsePage(page: string): { elements: Element[]; problems: string[] } {
  const problems: string[] = [];
  const document = parse(page, { onParseError: (error: ParserError) => problems.push(error.code) });
  const collect = (node: Node): Element[] => [
    ...("tagName" in node ? [node] : []),
    ...("childNodes" in node ? node.childNodes.flatMap(collect) : []),
  ];
  return { elements: collect(document), problems };
}

function textOf(node: Node): string {
  if ("value" in node) return node.value;
  return "childNodes" in node ? node.childNodes.map(textOf).join("") : "";
}

const attribute = (element: Element, name: string) =>
  element.attrs.find((entry) => entry.name === name)?.value;

describe.each([
  ["a full report", exampleReport],
  ["an empty report", emptyReport],
])("formatHtml() of %s", (_name, report) => {
  const page = formatHtml(report);
  const { elements, problems } = parsePage(page);

  it("parses without a single error", () => {
    expect(problems).toEqual([]);
  });

  it("loads nothing and runs nothing", () => {
    const names = new Set(elements.map((element) => element.tagName));
    for (const name of ["script", "img", "link", "iframe", "object", "image", "use"])
      expect(names).not.toContain(name);
    const loading = elements
      .flatMap(({ attrs }) => attrs)
      .filter(({ name }) => /^(src|srcset|data|on.*)$/.test(name));
    expect(loading).toEqual([]);
    expect(page).not.toMatch(/url\(|@import/);
    expect(page).toContain("default-src 'none'");
  });

  it("has no coordinate that is not a number", () => {
    expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });

  it("gives every chart a name, a description and a caption", () => {
    const ids = new Map(elements.map((element) => [attribute(element, "id"), element]));
    for (const chart of elements.filter((element) => element.tagName === "svg")) {
      const names = attribute(chart, "aria-labelledby")!.split(" ");
      expect(names.map((id) => textOf(ids.get(id)!)).every((text) => text.length > 0)).toBe(true);
      const siblings = chart.parentNode!.childNodes.filter((node) => "tagName" in node);
      expect(siblings.map((node) => node.nodeName)).toEqual(["svg", "figcaption"]);
    }
  });

  it("uses no id twice, and every link within the page has its target", () => {
    const ids = elements.flatMap((element) => attribute(element, "id") ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = elements
      .flatMap((element) => attribute(element, "href") ?? [])
      .filter((href) => href.startsWith("#"));
    for (const target of targets) expect(ids).toContain(target.slice(1));
  });
});

describe("formatHtml()", () => {
  const { elements } = parsePage(formatHtml(exampleReport));
  const rowsOf = (caption: RegExp) => {
    const table = elements.find((element) => element.tagName === "table" && caption.test(textOf(element)))!;
    const body = table.childNodes.find((node) => node.nodeName === "tbody")!;
    return textOf(body).replace(/\s+/g, " ");
  };

  it("shows scores, errors, differences, n and the paper's row of a benchmark", () => {
    expect(rowsOf(/beside the paper/)).toContain(
      "DROP3-shot, F1 9.4 ± 0.817.2 ± 1.0 +7.8 ± 1.31,000 32.643.6+11.0",
    );
  });

  it("marks a difference that zero could explain", () => {
    expect(rowsOf(/beside the paper/)).toContain("+1.7 ± 2.0within error");
  });

  it("shows held-out losses, data, time, settings, versions and hashes", () => {
    const text = textOf(elements[0]!);
    for (const part of [
      "2.431",
      "1.387",
      "11,720",
      "1 h 31 min",
      "lora.targetModules",
      "q_proj, v_proj",
      "20.20.2",
      "sha256:60303ae2",
    ]) {
      expect(text).toContain(part);
    }
  });

  it("shows prompts and answers exactly, however they are made", () => {
    const shown = elements.filter((element) => element.tagName === "pre").map(textOf);
    const given = exampleReport.samples.flatMap(({ prompt, before, after, gold }) => [
      prompt,
      before,
      after,
      gold,
    ]);
    expect(shown).toEqual(given.map((text) => (text === "" ? "(empty)" : makePrintable(text))));
  });

  it("keeps a line break at the start of an answer", () => {
    const sample = { benchmark: "drop", prompt: "p", before: "\n\nx", after: "y", gold: "z" };
    const page = parsePage(formatHtml({ ...exampleReport, samples: [sample] }));
    expect(page.elements.filter((element) => element.tagName === "pre").map(textOf)[1]).toBe("\n\nx");
  });
});
