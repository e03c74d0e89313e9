// The style sheet of the HTML report: one palette for light, one for dark; no fonts and no images to load.

/** CSS text. Blue is the base, orange the fine-tuned model, in tables and charts alike. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --page: #fbfbfa; --card: #ffffff; --line: #d8dce1;
  --base: #2f6fb3; --tuned: #c4560c; --wash: #f1f3f5; --good: #1a7f37; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --soft: #a2abb5; --page: #14171a; --card: #1c2025;
  --line: #363c44; --base: #6fb0f2; --tuned: #f59a55; --wash: #23282e; --good: #5fc97b; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 0 0 .4rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .8rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .6rem; } article h3 { margin: 0; }
a { color: var(--base); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .92rem; margin-top: 1rem; }
.soft, figcaption, caption { color: var(--soft); }
.lead { margin: .2rem 0; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { caption-side: bottom; text-align: left; padding: .6rem .8rem; font-size: .85rem; }
th, td { padding: .45rem .8rem; text-align: left; border-top: 1px solid var(--line); vertical-align: top; }
thead tr:first-child > * { border-top: 0; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--card); }
.number { text-align: right; white-space: nowrap; }
.group { text-align: center; }
.paper { color: var(--soft); }
.average > * { border-top: 2px solid var(--soft); font-weight: 700; }
.base-name { color: var(--base); } .tuned-name { color: var(--tuned); }
.tag { font-size: .75rem; font-weight: 400; color: var(--soft); display: block; }
.remarks { font-size: .88rem; color: var(--soft); padding-left: 1.1rem; }
.remarks li { margin: .25rem 0; }
.wide + .charts, .charts + .wide, .remarks + .charts { margin-top: 1rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1rem; align-items: start; }
figure { margin: 0; padding: .8rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
figcaption { font-size: .85rem; margin-top: .5rem; } figcaption strong { color: var(--text); }
svg { display: block; width: 100%; height: auto; overflow: visible; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
svg .tick { fill: var(--soft); font-size: 11px; } svg .label { fill: var(--text); } svg .strong { font-weight: 700; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .rule { stroke: var(--soft); stroke-width: 1; }
svg .line { fill: none; stroke: var(--tuned); stroke-width: 1.6; stroke-linejoin: round; }
svg .whisker { fill: none; stroke-width: 1.6; } svg .whisker.base { stroke: var(--base); } svg .whisker.tuned { stroke: var(--tuned); }
svg .mark.base, svg .bar { fill: var(--base); } svg .mark.tuned { fill: var(--tuned); }
svg .mark.paper { fill: var(--card); stroke: var(--soft); stroke-width: 1.4; } svg line.paper { stroke: var(--soft); stroke-width: 1.4; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem; margin: 0 0 1rem; }
article summary { cursor: pointer; color: var(--soft); font-size: .9rem; padding: .3rem 0; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); gap: .8rem; margin-top: .5rem; }
.answers h4 { margin: 0 0 .25rem; font-size: .9rem; }
pre { margin: 0; padding: .7rem; max-height: 20rem; overflow: auto; background: var(--wash); border-radius: .4rem;
  font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.right { color: var(--good); } .wrong { color: var(--bad); }
.hash td { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; font-size: .82rem; }
.plain td { overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--base); outline-offset: 2px; }
@media (max-width: 40rem) { th, td { padding: .4rem .5rem; } table { font-size: .85rem; } body { font-size: 15px; } .error { display: block; font-size: .75rem; color: var(--soft); } }
@media print { body { max-width: none; } pre { max-height: none; } }
`;
