// The marks of scores and their intervals; shape as well as colour tells before from after.
import { type Html, html } from "../html.ts";

/** Whose value a mark shows. */
export type MarkKind = "base" | "tuned";

/** A circle before fine-tuning, a square after it; `className` gives the colour. */
export function mark(
  kind: MarkKind,
  { x, y, className = kind }: { x: number; y: number; className?: string },
): Html {
  return kind === "base"
    ? html`<circle class="mark ${className}" cx="${x}" cy="${y}" r="4.5"/>`
    : html`<rect class="mark ${className}" x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"/>`;
}

/** An interval with end caps. */
export function whisker(
  kind: MarkKind,
  { left, right, y }: { left: number; right: number; y: number },
): Html {
  return html`<path class="whisker ${kind}" d="M${left},${y}H${right}M${left},${y - 4}V${y + 4}M${right},${y - 4}V${y + 4}"/>`;
}
