// A study's report in a browser: what its first screen shows, and that nothing is cut on a phone.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report } from "../../src/study/report/report.ts";
import { madeStudy } from "../study/numbers/made-results.ts";
import { browserPath, findings, launch, watched } from "./browser.ts";

const contrasts = ["H32-MQA", "H64-MQA"].map((against) => ({ model: "H64-MQA-CLA2", against }));
const page = report({
  title: "Half the KV cache: by sharing layers, or by smaller heads?",
  results: madeStudy({ "H64-MQA": 5.066, "H64-MQA-CLA2": 5.039, "H32-MQA": 5.094 }, { noise: 0.06 }), // as the demo
  contrasts,
  preset: { name: "demo" },
  command: "npx crosslayer study demo",
  versions: { crosslayer: "0.1.0" },
  environment: { processor: "some processor" },
  duration: 1718,
});

describe.skipIf(!browserPath)("a report", () => {
  const scratch = mkdtempSync(join(tmpdir(), "crosslayer-report-"));
  const path = join(scratch, "report.html");
  let browser: Browser;
  beforeAll(async () => {
    writeFileSync(path, page);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(scratch, { recursive: true });
  });

  it.each([
    [1440, 900],
    [390, 844],
  ])("shows the plot and its sentence on a first screen of %i × %i, and cuts nothing", async (width, height) => {
    await using window = await watched(browser, pathToFileURL(path).href, { viewport: { width, height } });
    const bottomOf = async (selector: string) => {
      const box = await window.page.locator(selector).locator("visible=true").first().boundingBox();
      return (box?.y ?? Number.NaN) + (box?.height ?? Number.NaN);
    };
    expect(await bottomOf(".finding strong")).toBeLessThan(height / 3);
    expect(await bottomOf(".opening svg")).toBeLessThanOrEqual(height);
    const cut = await window.page.evaluate(() => {
      const main = document.querySelector("main") as HTMLElement;
      const right = main.getBoundingClientRect().right - Number.parseFloat(getComputedStyle(main).paddingRight);
      const seen = [...main.querySelectorAll("h1, h2, p, li, dl > div, dd, td, svg text")];
      return seen.filter((part) => part.getBoundingClientRect().right > right + 1).map(({ outerHTML }) => outerHTML);
    });
    expect(cut).toEqual([]);
    const heights = await window.page
      .locator(".figures dd")
      .evaluateAll((values) => values.map((value) => value.getBoundingClientRect().height));
    expect(new Set(heights).size).toBe(1); // no tile wraps
    expect(window.problems).toEqual([]);
  });

  it.each([1440, 390])("keeps texts clear of points and of one another in every picture, %i wide", async (width) => {
    await using window = await watched(browser, pathToFileURL(path).href, { viewport: { width, height: 900 } });
    const covered = await window.page.evaluate(() => {
      const boxOf = (part: Element, trim = 0) => {
        const { left, right, top, bottom } = part.getBoundingClientRect();
        const inset = (bottom - top) * trim;
        return { left: left + 1, right: right - 1, top: top + inset, bottom: bottom - inset };
      };
      type Box = ReturnType<typeof boxOf>;
      const meet = (a: Box, b: Box) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      return [...document.querySelectorAll("svg")].flatMap((svg) => {
        if (svg.getBoundingClientRect().width === 0) return [];
        const texts = [...svg.querySelectorAll("text")].filter(({ textContent }) => textContent !== "");
        const boxes = texts.map((text) => boxOf(text, 0.2)); // letters without the space above and below
        const circles = [...svg.querySelectorAll("circle")].map((circle) => boxOf(circle));
        return texts.flatMap(({ textContent }, i) => {
          const others = [...circles, ...boxes.filter((_, j) => j > i)];
          return others.some((other) => meet(boxes[i] as Box, other)) ? [textContent] : [];
        });
      });
    });
    expect(covered).toEqual([]);
    expect(await window.page.locator("circle").count()).toBeGreaterThan(10);
  });

  it.each(["light", "dark"] as const)("can be read by all, %s", async (colorScheme) => {
    await using window = await watched(browser, pathToFileURL(path).href, { colorScheme });
    expect(await findings(window.page)).toEqual([]);
  });
});
