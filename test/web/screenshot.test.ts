// The pictures that the documents show, taken of the page with the demo's models where `npm run demo` has made them, and
// small ones elsewhere. UPDATE_SCREENSHOTS=1 puts them into docs/images.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HttpServer, ServedModels, ServedStudy } from "crosslayer";
import { pino } from "pino";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelsReply } from "../../src/server/page-api.ts";
import { writeStudy } from "../server/study-directory.ts";
import { browserPath, launch, watched } from "./browser.ts";

const demo = fileURLToPath(new URL("../../runs/demo", import.meta.url));
const images = fileURLToPath(new URL("../../docs/images", import.meta.url));

describe.skipIf(!browserPath)("pictures of the page", () => {
  const scratch = mkdtempSync(join(tmpdir(), "crosslayer-pictures-"));
  const target = process.env.UPDATE_SCREENSHOTS ? images : scratch;
  let browser: Browser;
  let models: ServedModels;
  let server: HttpServer;
  beforeAll(async () => {
    mkdirSync(target, { recursive: true });
    const directory = existsSync(join(demo, "results.jsonl")) ? demo : await writeStudy(join(scratch, "demo"));
    const { study, runs } = await ServedStudy.open(directory);
    models = await ServedModels.open(runs, { kvMemory: 16e6, engine: { threads: 1 } });
    for (const { id } of runs.slice(0, 4)) await models.load(id); // so that speeds are those of models in memory
    const logger = pino({ level: "silent" });
    server = await HttpServer.listen({ models, logger, study, version: "", port: 0, host: "127.0.0.1" });
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.drain(0);
    await models?.[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });

  it("one prompt on two models, each with its cache", async () => {
    const size = { viewport: { width: 1180, height: 960 }, deviceScaleFactor: 1.25 };
    await using window = await watched(browser, `${server.url}/#chat`, size);
    const { page, problems } = window;
    await page.locator("details.settings summary").click();
    await page.getByLabel("Max tokens").fill("56");
    await page.locator("details.settings summary").click();
    await page.getByLabel("Text to continue").fill("Fellow citizens of the Senate and House of Representatives:");
    await page.getByLabel("Text to continue").press("Control+Enter");
    await expect.poll(() => page.getByText(/^Done: \d+ tokens$/).count()).toBe(2);
    await page.evaluate(() => scrollTo(0, 0));
    await page.getByLabel("Text to continue").blur();
    const picture = await page.screenshot({ path: join(target, "chat.png") });
    expect(picture.length).toBeGreaterThan(20_000);
    expect(problems).toEqual([]);
  });

  it("the caches while requests run", async () => {
    const size = { viewport: { width: 1180, height: 980 }, deviceScaleFactor: 1.25 };
    await using window = await watched(browser, `${server.url}/#cache`, size);
    const { page, problems } = window;
    await page.locator(".engine").nth(1).waitFor();
    const shown = await page.locator(".engine h2").allInnerTexts();
    const cards = ((await (await fetch(`${server.url}/api/models`)).json()) as ModelsReply).models;
    const ids = shown.map((name) => cards.find((card) => card.name === name && card.loaded)?.id);
    let taken = false;
    const beginning = "Fellow citizens of the Senate and House of Representatives: ".repeat(4);
    const asking = Array.from({ length: 16 }, async (_, i) => {
      const body = { model: ids[i % 2], prompt: `${beginning}${i}`, max_tokens: 100, ignore_eos: true };
      while (!taken) {
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${server.url}/v1/completions`, {
          method: "POST",
          headers,
          body: JSON.stringify(body),
        });
        expect(answer.status).toBe(200);
        await answer.json();
      }
    });
    for (const i of [0, 1]) {
      const times = page.locator(".engine").nth(i).locator("[data-row=perToken] td");
      await expect.poll(() => times.allInnerTexts()).not.toContain("–");
    }
    await page.getByRole("img", { name: /^Tokens per second/ }).waitFor();
    const picture = await page.screenshot({ path: join(target, "cache.png") });
    taken = true;
    await Promise.all(asking);
    expect(picture.length).toBeGreaterThan(20_000);
    expect(problems).toEqual([]);
  });

  it("the study", async () => {
    const size = { viewport: { width: 1180, height: 900 }, deviceScaleFactor: 1.25 };
    await using window = await watched(browser, `${server.url}/#study`, size);
    const { page, problems } = window;
    await page.getByRole("img", { name: /perplexity against KV cache/ }).waitFor();
    const picture = await page.screenshot({ path: join(target, "study.png") });
    expect(picture.length).toBeGreaterThan(20_000);
    expect(problems).toEqual([]);
  });
});
