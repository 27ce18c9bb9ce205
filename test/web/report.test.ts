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
  results: madeStudy({ "H64-MQA": 4.31, "H64-MQA-CLA2": 4.33, "H32-MQA": 4.4 }, { noise: 0.02 }),
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

  it.each(["light", "dark"] as const)("can be read by all, %s", async (colorScheme) => {
    await using window = await watched(browser, pathToFileURL(path).href, { colorScheme });
    expect(await findings(window.page)).toEqual([]);
  });
});
