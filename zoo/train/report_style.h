// The style sheet of the report: system fonts, one accent, light and dark by the reader's preference.
#pragma once

namespace iskra::zoo::html {

inline constexpr const char* kReportStyle = R"css(
:root {
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2125; --soft: #5f6872; --line: #e2e0db; --grid: #ecebe7;
  --tone: 38, 96, 164; --s0: #2660a4; --s1: #d1622b; --s2: #3a8a5f; --s3: #8a56ac; --quiet: #8b929a; --bad: #b3372f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --card: #1c2026; --ink: #e6e8ea; --soft: #98a1ab; --line: #30363d; --grid: #282d34;
    --tone: 92, 154, 226; --s0: #6ba7e8; --s1: #f0935f; --s2: #6cc493; --s3: #bd90dc; --quiet: #7d8690; --bad: #f08078;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 3rem; max-width: 66rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.015em; }
h2 { font-size: 1.15rem; margin: 0 0 .25rem; letter-spacing: -.005em; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
a { color: inherit; text-decoration-color: var(--quiet); text-underline-offset: .18em; }
.note { color: var(--soft); margin: 0 0 1rem; max-width: 46rem; }
section { margin-top: 2.75rem; }
footer { margin-top: 3rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
.facts > div { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; }
.facts dt { color: var(--soft); font-size: .82rem; }
.facts dd { margin: 0; font-size: 1.4rem; font-weight: 600; letter-spacing: -.01em; }
.facts small { display: block; color: var(--soft); font-size: .78rem; font-weight: 400; letter-spacing: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.chart { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem .9rem .5rem; }
.chart figcaption { font-weight: 600; font-size: .95rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; }
.chart svg { display: block; width: 100%; height: auto; margin-top: .35rem; }
.chart p { margin: .1rem 0 .3rem; font-size: .8rem; color: var(--soft); }
.key { font-weight: 400; font-size: .82rem; color: var(--soft); white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: .9rem; height: .2rem; border-radius: .1rem; margin-right: .35rem; vertical-align: middle; background: currentColor; }
.key span { color: var(--soft); }
svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
svg text.name { fill: var(--ink); font-size: 12px; }
svg text.value { fill: var(--ink); font-size: 11px; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .axis { stroke: var(--line); stroke-width: 1; }
svg .curve { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
svg .dot { fill: currentColor; }
svg .hit { fill: transparent; }
svg .hit:hover { fill: currentColor; fill-opacity: .25; }
svg .whisker { stroke: currentColor; stroke-width: 2.4; stroke-linecap: round; opacity: .55; }
.c0 { color: var(--s0); } .c1 { color: var(--s1); } .c2 { color: var(--s2); } .c3 { color: var(--s3); } .cq { color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: break-word; }
th { font-weight: 500; text-align: left; }
th, td { padding: .3rem .65rem; }
.grid-table { width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; border-spacing: 0; border-collapse: separate; overflow: hidden; }
.grid-table thead th { color: var(--soft); font-size: .82rem; border-bottom: 1px solid var(--line); vertical-align: bottom; }
.grid-table tbody tr + tr > * { border-top: 1px solid var(--grid); }
.grid-table tbody tr.rule > * { border-top: 1px solid var(--quiet); }
.grid-table .n { text-align: right; white-space: nowrap; }
.grid-table .best { font-weight: 650; }
.pairs th { color: var(--soft); padding-left: 0; white-space: nowrap; vertical-align: top; }
.pairs td { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .85rem; }
.pairs tr + tr > * { border-top: 1px solid var(--grid); }
.bar { display: inline-block; vertical-align: middle; width: 5rem; height: .55rem; border-radius: .3rem; background: var(--grid); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--s0); }
.matrix { border-collapse: separate; border-spacing: 2px; font-size: .85rem; }
.matrix th { color: var(--soft); padding: .15rem .4rem; white-space: nowrap; }
.matrix thead th { vertical-align: bottom; text-align: center; }
.matrix th span { display: inline-block; max-width: 11rem; max-height: 9rem; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.matrix tbody th { text-align: right; }
.matrix td { min-width: 2.7rem; height: 2.2rem; text-align: center; padding: 0 .3rem; border-radius: .25rem; background: rgba(var(--tone), var(--a, 0)); }
.matrix td.zero { color: var(--quiet); }
.matrix td.deep { color: #fff; }
.matrix td.hit-cell { outline: 1.5px solid var(--line); outline-offset: -1px; }
@media (prefers-color-scheme: dark) { .matrix td.deep { color: #0d1117; } }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.2rem, 1fr)); gap: .75rem; }
.mistakes figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
.mistakes img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; image-rendering: pixelated; }
.mistakes img.smooth { image-rendering: auto; }
.mistakes figcaption { padding: .45rem .6rem .55rem; font-size: .82rem; line-height: 1.35; }
.mistakes b { color: var(--bad); font-weight: 600; }
.mistakes span { color: var(--soft); white-space: nowrap; }
.beside { display: flex; flex-wrap: wrap; gap: 1.25rem 2rem; align-items: flex-end; }
.beside > * { max-width: 100%; }
.beside > :last-child { flex: 1 1 26rem; }
@media (max-width: 34rem) {
  body { padding: 1.25rem .9rem 2rem; }
  .facts { grid-template-columns: repeat(2, 1fr); gap: .5rem; }
  .facts dd { font-size: 1.15rem; }
  .bar { width: 3rem; }
  .beside > * { max-width: 100%; }
.beside > :last-child { flex-basis: 100%; }
  th, td { padding: .3rem .4rem; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --grid: #ddd; --tone: 38, 96, 164;
          --s0: #2660a4; --s1: #d1622b; --s2: #3a8a5f; --s3: #8a56ac; --quiet: #777; --bad: #b3372f; }
  body { max-width: none; padding: 0; font-size: 11px; }
  section { margin-top: 1.5rem; }
  .matrix td.deep { color: #fff; }
  .chart, .mistakes figure, tr, .facts > div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .matrix td, .bar, .bar i, .mistakes img { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace iskra::zoo::html
