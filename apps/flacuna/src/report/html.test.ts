import { describe, expect, it } from "vitest";
import { escapeHtml, html, makePrintable } from "./html.ts";

describe("html", () => {
  it("escapes text and keeps markup", () => {
    const inner = html`<b title="${'" onload="x'}">${"<i>&"}</b>`;
    expect(html`<p>${inner}${[1, undefined, inner]}</p>`.markup).toBe(
      `<p>${inner.markup}1${inner.markup}</p>`,
    );
    expect(inner.markup).toBe('<b title="&#34; onload=&#34;x">&#60;i&#62;&#38;</b>');
  });
});

describe("escapeHtml()", () => {
  it("leaves no character that could end an element or an attribute", () => {
    expect(escapeHtml(`</pre>"'\`&`)).not.toMatch(/[<>"'`]|&(?!#\d+;)/);
  });
});

describe("makePrintable()", () => {
  it("replaces control characters and lone surrogates, and keeps tabs, line breaks and pairs", () => {
    expect(makePrintable("a\tb\nc\u0000\u001b\u009b\ud800😀\udc00")).toBe("a\tb\nc����😀�");
  });

  it("turns every kind of line end into a line feed", () => {
    expect(makePrintable("a\r\nb\rc")).toBe("a\nb\nc");
  });
});
