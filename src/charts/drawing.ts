// Charts as strings: Observable Plot on a document without a browser, made into SVG that stands on its own. Knows how
// drawings look (colours, type, background), not what they show.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type DrawingOptions, fontFamily, paper } from "./drawing-options.ts";

/** Pixels that `text` takes at `size` pixels in the widest of the fonts. */
export function textWidth(text: string, size: number): number {
  return [...text].length * size * 0.64;
}

/** A piece of an overlay: an SVG element's name, its attributes (pixels), and its text if any. */
export type Shape = readonly [name: string, attributes: Readonly<Record<string, string | number>>, text?: string];

/** Pixels of values on a plot's axes. */
export interface Scales {
  x(value: number): number;
  y(value: number): number;
}

/** A mark made of shapes in pixels, drawn over the marks before it. */
export function overlay(shapesAt: (scales: Scales) => readonly Shape[]): Plot.Markish {
  return (_index, scales, _values, _dimensions, { document }) => {
    const element = (name: string) => document.createElementNS("http://www.w3.org/2000/svg", name);
    const group = element("g") as SVGElement;
    for (const [name, attributes, text] of shapesAt(scales as unknown as Scales)) {
      const shape = element(name);
      for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, String(value));
      if (text !== undefined) shape.textContent = text;
      group.appendChild(shape);
    }
    return group;
  };
}

/** Text whose vertical middle is at `y`, outlined in the background so that it reads over lines. */
export function textAt(
  x: number,
  y: number,
  text: string,
  drawing: DrawingOptions,
  attributes: Readonly<Record<string, string | number>> = {},
): Shape {
  const outline = { stroke: paper(drawing), "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke" };
  return ["text", { x, y, dy: "0.35em", "text-anchor": "start", ...outline, ...attributes }, text];
}

/** Draws a plot; `label` says what it shows to those who cannot see it. The result is one `<svg>` that loads nothing. */
export function draw(options: Plot.PlotOptions, label: string, drawing: DrawingOptions = {}): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({ ...options, document, inset: 0 }) as Element;
  svg.querySelector("style")?.remove(); // sets by CSS what is set by attributes here, which every renderer knows
  for (const part of svg.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label"); // one image, one label
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    role: "img",
    "aria-label": label,
    "font-family": fontFamily,
    "font-size": "12",
    style: "display:block;max-width:100%;height:auto",
    ...(drawing.transparent ? {} : { color: "#1f2328" }),
  };
  svg.removeAttribute("class");
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  if (!drawing.transparent) {
    const card = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ width: "100%", height: "100%", fill: "#ffffff", rx: "6" })) {
      card.setAttribute(name, value);
    }
    svg.insertBefore(card, svg.firstChild);
  }
  // Hundredths of a pixel are enough; text between tags stays as it is.
  return svg.outerHTML.replace(/<[^>]+>/g, (tag) => tag.replace(/(\d+\.\d{2})\d+/g, "$1"));
}
