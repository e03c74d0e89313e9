// The sections of the HTML report, each from the report to markup.
import { FEW_SHOT_COUNTS, FEW_SHOT_ROWS, type PublishedRow, ZERO_SHOT_ROWS } from "../paper.ts";
import { barChart } from "./charts/bar-chart.ts";
import { differenceChart } from "./charts/difference-chart.ts";
import { lineChart } from "./charts/line-chart.ts";
import { scoreChart } from "./charts/score-chart.ts";
import { benchmarkLabel, type ComparisonRow } from "./comparison.ts";
import { flattenSettings } from "./flatten.ts";
import { type Html, type HtmlPart, html } from "./html.ts";
import {
  ABSENT,
  formatCount,
  formatDifference,
  formatItemCount,
  formatPoints,
  formatQuantity,
  formatScore,
  formatScoreWithError,
  formatSeconds,
} from "./number-text.ts";
import { collectRemarks } from "./remarks.ts";
import type { AnswerSample, BenchmarkScore, HeldOutLoss, Report } from "./report-schema.ts";

/** The table beside the paper's rows, the score chart, what to bear in mind, and the other published rows. */
export function resultsSection(report: Report, rows: readonly ComparisonRow[]): Html {
  const remarks = collectRemarks(report, rows).map((remark) => html`<li>${remark}</li>`);
  return html`<section id="results"><h2>Results</h2>
<div class="wide" tabindex="0" role="region" aria-label="Table of results"><table>
<caption>Scores of this run beside the paper’s, in percent.</caption>
<thead><tr><td></td><th class="group" colspan="4" scope="colgroup">This run</th><th class="group paper" colspan="3" scope="colgroup">Paper, 13B</th></tr>
<tr><th scope="col">Benchmark</th><th scope="col" class="number base-name">base</th><th scope="col" class="number tuned-name">fine-tuned</th><th scope="col" class="number">difference</th><th scope="col" class="number">n</th><th scope="col" class="number">Vicuna</th><th scope="col" class="number">Flacuna</th><th scope="col" class="number">difference</th></tr></thead>
<tbody>${rows.map(comparisonRow)}</tbody></table></div>
<ul class="remarks">${remarks}</ul>
<div class="charts">${scoreChart(rows)}${differenceChart(rows)}</div>
<h3>Published rows of 13B models</h3>${publishedTable()}</section>`;
}

function comparisonRow({ benchmark, label, base, fineTuned, difference, paper }: ComparisonRow): Html {
  return html`<tr class="${benchmark === "average" ? "average" : ""}"><th scope="row">${label}${tag(describeTask(fineTuned ?? base))}</th>
<td class="number">${withError(formatScoreWithError(base))}</td><td class="number">${withError(formatScoreWithError(fineTuned))}</td>
<td class="number">${withError(formatDifference(difference))}${tag(difference?.isWithinError ? "within error" : undefined)}</td><td class="number">${formatItemCount(base, fineTuned)}</td>
<td class="number paper">${formatScore(paper.base)}</td><td class="number paper">${formatScore(paper.fineTuned)}</td><td class="number paper">${formatPoints(paper.difference)}</td></tr>
`;
}

/** A value whose error a narrow screen puts on a line of its own. */
function withError(text: string): Html {
  const [value, error] = text.split(" ± ");
  return error === undefined ? html`${text}` : html`${value} <span class="error">± ${error}</span>`;
}

function describeTask(score: BenchmarkScore | undefined): string | undefined {
  const shots = score?.fewShot === undefined ? undefined : `${score.fewShot}-shot`;
  return [shots, score?.metric].filter((part) => part !== undefined).join(", ") || undefined;
}

function tag(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<span class="tag">${text}</span>`;
}

function publishedTable(): Html {
  const columns = ["mmlu", "bbh", "drop", "crass", "humaneval"] as const;
  const toRow = (row: PublishedRow, prompting: string) =>
    html`<tr><th scope="row">${row.model}${tag(prompting)}</th>${columns.map(
      (column) =>
        html`<td class="number">${row.scores[column] === undefined ? ABSENT : formatScore(row.scores[column])}</td>`,
    )}</tr>`;
  const fewShot = `${Object.values(FEW_SHOT_COUNTS).join("/")}-shot`;
  const sources = [FEW_SHOT_ROWS, ZERO_SHOT_ROWS].map((rows) => rows.flacuna.source).join("; ");
  return html`<div class="wide" tabindex="0" role="region" aria-label="Published rows"><table><caption>${sources}.</caption>
<thead><tr><th scope="col">Model</th>${columns.map((column) => html`<th scope="col" class="number">${benchmarkLabel(column)}</th>`)}</tr></thead>
<tbody>${Object.values(FEW_SHOT_ROWS).map((row) => toRow(row, fewShot))}${Object.values(ZERO_SHOT_ROWS).map((row) => toRow(row, "zero-shot"))}</tbody></table></div>`;
}

/** Held-out losses and the curves of loss, learning rate and gradient norm. */
export function trainingSection({ training, baseModel }: Report): Html {
  const { curve, heldOut, trainableParameterCount: trained } = training;
  const points = (read: (point: (typeof curve)[number]) => number) =>
    curve.map((point) => ({ step: point.step, value: read(point) }));
  const share = trained === undefined ? "" : ((100 * trained) / baseModel.parameterCount).toFixed(3);
  return html`<section id="training"><h2>Training</h2>
${trained === undefined ? undefined : html`<p>${formatCount(trained)} parameters were trained, ${share} % of the model’s.</p>`}
<div class="charts">
${lineChart(
  points((point) => point.loss),
  {
    id: "loss",
    title: "Training loss",
    unit: "nats per token",
    caption: "Mean over each step’s response tokens.",
  },
)}
${heldOutTable(heldOut)}
${lineChart(
  points((point) => point.learningRate),
  {
    id: "rate",
    title: "Learning rate",
    unit: "learning rate",
    height: 170,
    startAtZero: true,
    caption: "As used at each step.",
  },
)}
${lineChart(
  points((point) => point.gradNorm),
  {
    id: "norm",
    title: "Gradient norm",
    unit: "norm",
    height: 170,
    startAtZero: true,
    caption: "Before clipping.",
  },
)}
</div></section>`;
}

function heldOutTable({ flan, chat }: Report["training"]["heldOut"]): Html {
  const toRow = (name: string, loss: HeldOutLoss | undefined) =>
    html`<tr><th scope="row">${name}</th>${
      loss === undefined
        ? html`<td class="number">${ABSENT}</td><td class="number">${ABSENT}</td><td class="number">${ABSENT}</td><td class="number">${ABSENT}</td>`
        : html`<td class="number">${formatQuantity(loss.before)}</td><td class="number">${formatQuantity(loss.after)}</td><td class="number">${formatRelative(loss)}</td><td class="number">${formatCount(loss.n)}</td>`
    }</tr>`;
  return html`<div class="wide"><table><caption>Loss on records that were not trained on, in nats per response token. The chat set shows what happened to text of the base’s own kind.</caption>
<thead><tr><th scope="col">Held out</th><th scope="col" class="number base-name">before</th><th scope="col" class="number tuned-name">after</th><th scope="col" class="number">change</th><th scope="col" class="number">n</th></tr></thead>
<tbody>${toRow("FLAN split", flan)}${toRow("Chat set", chat)}</tbody></table></div>`;
}

function formatRelative({ before, after }: HeldOutLoss): string {
  return `${formatPoints((100 * (after - before)) / before)} %`;
}

/** What was trained on: chart and table of the components. */
export function dataSection({ data }: Report): Html {
  const { components } = data;
  if (components.length === 0)
    return html`<section id="data"><h2>Data</h2><p>No components were recorded.</p></section>`;
  const row = (name: string, counts: readonly (number | undefined)[]) =>
    html`<th scope="row">${name}</th>${counts.map((count) => html`<td class="number">${count === undefined ? ABSENT : formatCount(count)}</td>`)}`;
  const sum = (read: (component: (typeof components)[number]) => number) =>
    components.reduce((total, component) => total + read(component), 0);
  const totals = [
    sum((part) => part.count),
    sum((part) => part.dropped),
    sum((part) => part.truncated),
    undefined,
  ];
  return html`<section id="data"><h2>Data</h2><div class="charts">
${barChart(components, { id: "composition", title: "Composition", caption: "Records trained on, and their share." })}</div>
<div class="wide" tabindex="0" role="region" aria-label="Table of the data"><table><caption>“Cut” records were truncated to the longest sequence; FLAN-MINI is the published mixture.</caption>
<thead><tr><th scope="col">Component</th><th scope="col" class="number">trained on</th><th scope="col" class="number">left out</th><th scope="col" class="number">cut</th><th scope="col" class="number">FLAN-MINI</th></tr></thead>
<tbody>${components.map((part) => html`<tr>${row(part.name, [part.count, part.dropped, part.truncated, part.publishedCount])}</tr>`)}
<tr class="average">${row("Total", totals)}</tr></tbody></table></div></section>`;
}

/** Answers of both models side by side. */
export function sampleSection({ samples }: Report): Html {
  const content =
    samples.length === 0
      ? html`<p>None were kept.</p>`
      : html`<p class="soft">Both answers as they were generated, with the answer the benchmark expects.</p>${samples.map(article)}`;
  return html`<section id="samples"><h2>Answers before and after</h2>${content}</section>`;
}

function article(sample: AnswerSample, index: number): Html {
  const name = `${index + 1}. ${benchmarkLabel(sample.benchmark)}`;
  return html`<article aria-label="Sample ${name}"><h3>${name}</h3>
<details><summary>Prompt (${formatCount(sample.prompt.length)} characters)</summary>${scrollable(sample.prompt, `Prompt of sample ${name}`)}</details>
<div class="answers">
<div><h4><span class="base-name">Before</span>${verdict(sample.isBeforeCorrect)}</h4>${scrollable(sample.before, `Answer before, sample ${name}`)}</div>
<div><h4><span class="tuned-name">After</span>${verdict(sample.isAfterCorrect)}</h4>${scrollable(sample.after, `Answer after, sample ${name}`)}</div>
<div><h4>Gold</h4>${scrollable(sample.gold, `Gold answer of sample ${name}`)}</div>
</div></article>
`;
}

/** Long text that can be scrolled with the keyboard; the line break after `<pre>` keeps a leading one of the text. */
function scrollable(text: string, label: string): Html {
  return html`<pre dir="auto" tabindex="0" role="region" aria-label="${label}">
${text === "" ? html`<span class="soft">(empty)</span>` : text}</pre>`;
}

function verdict(isCorrect: boolean | undefined): Html | undefined {
  if (isCorrect === undefined) return undefined;
  return isCorrect ? html` <span class="right">✓ correct</span>` : html` <span class="wrong">✗ wrong</span>`;
}

/** How long each stage took. */
export function timingSection({ timings }: Report): Html {
  const total = timings.reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = timings.map(
    ({ stage, seconds, isReused }) =>
      html`<tr><th scope="row">${stage}${tag(isReused ? "result reused from an earlier run" : undefined)}</th><td class="number">${formatSeconds(seconds)}</td></tr>`,
  );
  return html`<section id="time"><h2>Time</h2><div class="wide"><table><thead><tr><th scope="col">Stage</th><th scope="col" class="number">time</th></tr></thead>
<tbody>${rows}<tr class="average"><th scope="row">Total</th><td class="number">${formatSeconds(total)}</td></tr></tbody></table></div></section>`;
}

/** Every setting, version and hash. */
export function settingsSection({ settings, versions, hashes }: Report): Html {
  return html`<section id="settings"><h2>Settings</h2>${pairs(["Setting", "value"], flattenSettings(settings), "plain")}
<h2 id="versions">Versions</h2>${pairs(["Part", "version"], Object.entries(versions), "plain")}
<h2 id="hashes">Hashes</h2>${pairs(["Artefact", "hash"], Object.entries(hashes), "hash")}</section>`;
}

function pairs(
  heads: readonly [string, string],
  rows: readonly (readonly [string, string])[],
  className: string,
): HtmlPart {
  if (rows.length === 0) return html`<p>None were recorded.</p>`;
  return html`<div class="wide"><table class="${className}"><thead><tr><th scope="col">${heads[0]}</th><th scope="col">${heads[1]}</th></tr></thead>
<tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table></div>`;
}
