// Reads the text out of an SVG, and holds the SVG to being well-formed and loading nothing.

import { DOMParser } from "linkedom";
import { expect } from "vitest";

/** Every text of an SVG, in document order. */
export function textsOf(svg: string): string[] {
  const document = new DOMParser().parseFromString(svg, "image/svg+xml") as unknown as Document;
  return [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "");
}

/** Fails if markup names anything to load: namespaces are names, not addresses. */
export function expectToLoadNothing(markup: string): void {
  const named = markup.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
  expect(named).not.toMatch(
    /https?:|\/\/[a-z]+\.|url\(|@import|@font-face|<script|<link|<iframe|<img|<image|<use|\ssrc=|\shref=|\son\w+=/i,
  );
}
