// A template tag that escapes whatever is put into it, so that no formatter can forget to.

/** Markup that is safe to put into a page as it stands; made only by `html` and `svg` templates. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What a template accepts: text and numbers are escaped, markup is taken as it is, nothing is nothing. */
export type HtmlPart = string | number | Html | undefined | readonly HtmlPart[];

/** Markup from a template; every value in it is escaped unless it is markup already. Quote every attribute. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(strings.map((string, index) => string + render(parts[index])).join(""));
}

/** Text that is safe inside an element or a quoted attribute, and valid in any encoding. */
export function escapeHtml(text: string): string {
  return makePrintable(text).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The text with control characters and lone surrogates, which a page or terminal may not hold, replaced by �. */
export function makePrintable(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/[^\P{Cc}\t\n]|\p{Cs}/gu, "�");
}

function render(part: HtmlPart): string {
  if (part === undefined) return "";
  if (part instanceof Html) return part.markup;
  if (typeof part === "object") return part.map(render).join("");
  return escapeHtml(String(part));
}
