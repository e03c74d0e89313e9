// The report as one self-contained page: order of its sections and its head. Sections are in page-sections.ts.
import { PAPER } from "../paper.ts";
import { compareWithPaper } from "./comparison.ts";
import { Html, html } from "./html.ts";
import { formatCount } from "./number-text.ts";
import {
  dataSection,
  resultsSection,
  sampleSection,
  settingsSection,
  timingSection,
  trainingSection,
} from "./page-sections.ts";
import { PAGE_STYLE } from "./page-style.ts";
import type { Report } from "./report-schema.ts";

/**
 * `report.html`: no script, and nothing loaded from anywhere, which its content policy also enforces.
 * Charts are drawn by hand on d3-scale: a plotting library would need a simulated DOM to do the same.
 */
export function formatHtml(report: Report): string {
  const { baseModel, preset, createdAt } = report;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Flacuna, reproduced: ${preset}</title>
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
<header>
<h1>Flacuna, reproduced with the preset “${preset}”</h1>
<p class="lead">${baseModel.name} (${formatCount(baseModel.parameterCount)} parameters), before and after fine-tuning on FLAN-style data.</p>
<p class="lead soft">After <a href="${PAPER.url}">${PAPER.title}</a> (${PAPER.authors}, ${PAPER.year}). Made <time datetime="${createdAt}">${createdAt}</time>.</p>
<nav aria-label="Sections"><a href="#results">Results</a><a href="#training">Training</a><a href="#data">Data</a><a href="#samples">Answers</a><a href="#time">Time</a><a href="#settings">Settings</a></nav>
</header>
<main>
${resultsSection(report, compareWithPaper(report))}
${trainingSection(report)}
${dataSection(report)}
${sampleSection(report)}
${timingSection(report)}
${settingsSection(report)}
</main>
</body>
</html>
`;
  return page.markup;
}
