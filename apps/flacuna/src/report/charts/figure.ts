// The frame every chart shares: its size, its accessible name and description, its visible caption.
import { type Html, type HtmlPart, html } from "../html.ts";

/** Width of every chart in its own units; narrow, so that its text stays readable on a phone. */
export const CHART_WIDTH = 460;

/** A chart with a caption; `description` says in words what the picture shows. */
export function figure(
  { id, title, description, caption, height }: FigureText & { readonly height: number },
  content: HtmlPart,
): Html {
  return html`<figure><svg viewBox="0 0 ${CHART_WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>
${content}</svg><figcaption><strong>${title}.</strong> ${caption}</figcaption></figure>`;
}

/** The words of a figure. `id` must be unique in the page. */
export interface FigureText {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly caption: string;
}
