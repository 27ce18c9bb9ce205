// Pieces of HTML. All text that comes in is escaped here; only SVG and pieces made here go in as they are.

import { type DrawingOptions, narrowWidth } from "./drawing-options.ts";

/** Text made safe to stand in HTML and SVG, attributes included. */
export function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (letter) => entities[letter] as string);
}

/** A titled part of a page; empty parts are left out. */
export function section(title: string, parts: readonly string[]): string {
  return `<section><h2>${escaped(title)}</h2>\n${parts.filter(Boolean).join("\n")}\n</section>`;
}

/** A drawing and what it shows. */
export function figure(svg: string, caption?: string): string {
  return `<figure>${svg}${caption ? `<figcaption>${escaped(caption)}</figcaption>` : ""}</figure>`;
}

/** A drawing as screens and as phones have room for it; the page's style shows the one that fits. */
export function figures(drawn: (drawing: DrawingOptions) => string, caption?: string): string {
  const wide = drawn({ transparent: true });
  const narrow = drawn({ transparent: true, width: narrowWidth });
  return figure(`<div class="wide">${wide}</div><div class="narrow">${narrow}</div>`, caption);
}

/** Sentences as a list. */
export function list(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join("")}</ul>`;
}

/** Names and their values. */
export function facts(entries: Readonly<Record<string, string>>): string {
  const rows = Object.entries(entries).map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`);
  return `<dl class="facts">${rows.join("")}</dl>`;
}

/** A value as indented JSON; lists of numbers stay on a line, for a sharing is read as one. */
export function json(value: unknown): string {
  const text = JSON.stringify(value, null, 2).replace(/\[[\d\s,.e+-]*\]/g, (list) => list.replace(/\s+/g, " "));
  return escaped(text);
}
