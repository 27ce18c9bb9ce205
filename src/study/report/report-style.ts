// The report's style sheet: type, spacing, light and dark. Loads nothing.

/** CSS of a report; `--surface` is also what charts paint behind their marks. */
export const reportStyle = `
:root { color-scheme: light dark; --surface: #ffffff; --sunken: #f5f6f8; --ink: #1f2328; --soft: #59636e; --line: #d9dee4; --accent: #3b74d9; }
@media (prefers-color-scheme: dark) {
  :root { --surface: #14171c; --sunken: #1d2128; --ink: #e4e7eb; --soft: #9aa4af; --line: #343a43; --accent: #7aa5f5; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--surface); color: var(--ink); font: 16px/1.6 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.25rem 1.25rem 5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 3.25rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p, ul { max-width: 46rem; }
li { margin: .3rem 0; }
.note, figcaption, dt { color: var(--soft); }
.finding { max-width: none; font-size: 1.0625rem; color: var(--soft); }
.finding strong { color: var(--ink); font-weight: 600; }
.note, figcaption { font-size: .875rem; }
.figures { display: grid; grid-template-columns: repeat(5, auto); gap: .75rem; margin: 1.5rem 0 1rem; padding: 0; }
.figures div { background: var(--sunken); border-radius: 8px; padding: .7rem 1rem; white-space: nowrap; }
.figures dt { font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
figure { margin: 1.25rem 0; overflow-x: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); }
th:first-child, td:first-child { text-align: left; }
td:first-child { font-weight: 600; }
tr.front td { background: color-mix(in srgb, var(--accent) 9%, transparent); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 1rem 0; font-size: .9rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--sunken); border-radius: 8px; padding: .9rem 1rem; overflow-x: auto; }
blockquote { margin: .5rem 0; padding: .8rem 1rem; background: var(--sunken); border-left: 3px solid var(--accent); border-radius: 0 8px 8px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
svg { display: block; }
figure svg { width: 100%; }
.narrow { display: none; }
@media (max-width: 40rem) {
  main { padding-top: 1.25rem; }
  h1 { font-size: 1.375rem; }
  .opening { display: flex; flex-direction: column; }
  .opening .finding { display: contents; }
  .finding strong { font-size: 1rem; margin: .25rem 0 0; }
  .finding span { order: 1; font-size: 1rem; color: var(--soft); }
  .opening figure { margin: .75rem 0; }
  .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .figures div { white-space: normal; padding: .6rem .75rem; }
  .figures dd { font-size: 1.15rem; }
  .stacking :is(tbody, td) { display: block; }
  .stacking thead { display: none; }
  .stacking tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .1rem 1rem; padding: .75rem .5rem; border-bottom: 1px solid var(--line); }
  .stacking td { padding: 0; border: 0; text-align: left; white-space: normal; }
  .stacking td:first-child { grid-column: 1 / -1; }
  .stacking td:not(:first-child)::before { content: attr(data-label); display: block; color: var(--soft); font-size: .75rem; }
  .stacking td:empty { display: none; }
  .stacking tr.front { background: color-mix(in srgb, var(--accent) 9%, transparent); }
  .stacking tr.front td { background: none; }
  .wide { display: none; }
  .narrow { display: block; }
}
@media print { main { max-width: none; padding: 0; } details { break-inside: avoid; } figure { break-inside: avoid; } }
`;
