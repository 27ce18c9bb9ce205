// The page in a browser, against a real server with small real models: what each view shows and does.

import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesText, integerText } from "../../src/charts/quantity.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { isShared, unshared } from "../../src/model/sharing.ts";
import { blockSize } from "../../src/plan/kv-blocks.ts";
import { memorySize } from "../../src/plan/memory-size.ts";
import { capacityOf, type PlanRequest, servingPlan } from "../../src/plan/serving-plan.ts";
import { tensorSplit } from "../../src/plan/tensor-parallel.ts";
import type { ModelCard, ModelsReply, StudyReply } from "../../src/server/page-api.ts";
import { serving } from "../server/serving.ts";
import { trainOn } from "../server/study-directory.ts";
import { browserPath, findings, launch, slowDown, watched } from "./browser.ts";

if (!browserPath) console.log("The page's tests are skipped: no Chromium or Chrome here; $CHROMIUM can name one.");

const views = ["chat", "cache", "sharing", "study"] as const;
const heading = { chat: "Chat", cache: "Cache", sharing: "Sharing", study: "Study" } as const;

describe.skipIf(!browserPath)("the page", () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serving>>;
  let cards: readonly ModelCard[];
  beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), serving({ study: true })]);
    cards = ((await (await fetch(new URL("/api/models", server.url))).json()) as ModelsReply).models;
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });
  const at = (view: string) => new URL(`/#${view}`, server.url).href;
  const cardOf = (name: string) => cards.find(({ id }) => id === name) as ModelCard;

  it("has a title, one navigation entry and content for each view", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    for (const view of views) {
      await page.getByRole("navigation").getByRole("link", { name: heading[view] }).click();
      await page.getByRole("heading", { level: 1, name: heading[view] }).waitFor();
      await expect.poll(() => page.title()).toBe(`${heading[view]} · crosslayer`);
      expect(await page.locator("nav [aria-current=page]").allTextContents()).toEqual([heading[view]]);
    }
    expect(problems).toEqual([]);
  });

  it("streams a text and shows the cache it holds, beside that without sharing", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    const shared = cards.find((card) => card.unsharedKvBytesPerToken > card.kvBytesPerToken) as ModelCard;
    await page.getByLabel("Side by side").uncheck();
    await page.getByLabel("Model", { exact: true }).selectOption(shared.id);
    await slowDown(page, 40_000); // else all may come at once, and no speed can be told
    await complete(page, "Fellow citizens", 203);
    const answer = page.locator(".answer");
    await answer.getByText(/^Done: \d+ tokens$/).waitFor();
    expect((await answer.locator(".text").innerText()).length).toBeGreaterThan(8);
    expect(Number((await answer.locator(".rate").innerText()).replaceAll(",", ""))).toBeGreaterThan(0);
    const bytes = await expectHeld(page, 0, shared);
    await answer.getByText(bytesText(bytes), { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it("keeps a chat going: the second question comes with the first", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    await page.getByLabel("Side by side").uncheck();
    await page.getByRole("group", { name: "Mode" }).getByRole("button", { name: "Chat" }).click();
    await set(page, "Max tokens", "6");
    await set(page, "Temperature", "0"); // an answer without text would be left out of the next question
    const bodies: { messages: { role: string; content: string }[] }[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/v1/chat/completions")) bodies.push(request.postDataJSON());
    });
    for (const question of ["Who?", "When?"]) {
      await page.getByLabel("Message").fill(question);
      const asked = page.waitForRequest(/\/v1\/chat\/completions$/); // until then the last answer says that it is done
      await page.getByLabel("Message").press("Enter");
      await asked;
      await page
        .locator(".turn")
        .last()
        .getByText(/^Done: \d+ tokens$/)
        .waitFor();
      expect(await page.getByLabel("Message").inputValue()).toBe("");
    }
    expect(bodies.map(({ messages }) => messages.map(({ role }) => role))).toEqual([
      ["user"],
      ["user", "assistant", "user"],
    ]);
    expect(bodies[1]?.messages.at(-1)?.content).toBe("When?");
    expect(problems).toEqual([]);
  });

  it.each(["Stop", "Escape"])("is stopped by %s", async (how) => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    await slowDown(page, 3000);
    await page.getByLabel("Side by side").uncheck();
    const id = await page.getByLabel("Model", { exact: true }).inputValue();
    await complete(page, "The", Math.min(400, cardOf(id).config.context - 16), "0");
    const text = page.locator(".answer .text");
    await expect.poll(async () => (await text.innerText()).length).toBeGreaterThan(0);
    expect(await page.getByText("Writing", { exact: true }).count()).toBe(1);
    if (how === "Stop") await page.getByRole("button", { name: "Stop" }).click();
    else await page.keyboard.press("Escape");
    await page.getByText("Stopped", { exact: true }).waitFor();
    const length = (await text.innerText()).length;
    await page.waitForTimeout(500);
    expect((await text.innerText()).length).toBe(length);
    expect(await page.getByRole("button", { name: "Send" }).count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it("asks a model that shares and its twin at once by default, their blocks on one scale", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    await complete(page, "Fellow citizens", 8);
    await expect.poll(() => page.getByText(/^Done: \d+ tokens$/).count()).toBe(2);
    const ids = [await page.getByLabel("Left model").inputValue(), await page.getByLabel("Right model").inputValue()];
    const [shared, twin] = ids.map(cardOf) as [ModelCard, ModelCard];
    expect(isShared(shared.config.sharing)).toBe(true);
    expect(twin.config).toEqual({ ...shared.config, sharing: unshared(shared.config.layers) });
    const areas: number[] = [];
    for (const [i, card] of [shared, twin].entries()) {
      await expectHeld(page, i, card);
      const drawing = await page.locator(".held").nth(i).locator("svg").boundingBox();
      const { width, height } = drawing as { width: number; height: number };
      areas.push(width * height); // of a full context
    }
    const [left, right] = areas as [number, number];
    expect(left / right).toBeCloseTo(shared.kvBytesPerToken / twin.kvBytesPerToken, 2);
    expect(problems).toEqual([]);
  });

  it("says what is wrong with a setting and with what the server refuses", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    await page.getByLabel("Side by side").uncheck();
    await page.getByLabel("Text to continue").fill("The");
    await set(page, "Temperature", "5");
    await page.getByText("Give a number from 0 to 2.").waitFor();
    expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    expect(problems).toEqual([]);
    await set(page, "Temperature", "0");
    await set(page, "Max tokens", "100000000");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Failed", { exact: true }).waitFor();
    expect(await page.locator(".answer .error").innerText()).toMatch(/token/i);
  });

  it("shows the blocks of models in memory, and counts what more would fit", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    await complete(page, "Fellow citizens", 8);
    await expect.poll(() => page.getByText(/^Done/).count(), { timeout: 30_000 }).toBe(2);
    await page.getByRole("navigation").getByRole("link", { name: "Cache" }).click();
    const card = page.locator(".engine").first();
    const label = (await card.getByRole("img").first().getAttribute("aria-label")) as string;
    const [total, ...states] = [...label.matchAll(/\d[\d,]*/g)].map(([n]) => Number(n.replaceAll(",", "")));
    expect(total).toBeGreaterThan(0);
    expect(states.length).toBe(4);
    expect(states.reduce((sum, count) => sum + count, 0)).toBe(total);
    const drawn = await card
      .locator(".blocks path")
      .evaluateAll((paths) => paths.map((path) => (path.getAttribute("d") as string).split("M").length - 1));
    expect(drawn).toEqual(states);
    for (const row of ["firstToken", "perToken", "queue"]) {
      await expect
        .poll(() => card.locator(`[data-row=${row}] td`).first().innerText(), { timeout: 10_000 })
        .toMatch(/^[\d.,]+ m?s$/);
    }
    const fits = async (tokens: string) => {
      await page.getByLabel("Context to fit, tokens").fill(tokens);
      await card.getByText(`of ${integerText(Number(tokens))} tokens`).waitFor();
      const text = await card.getByText("More would fit").locator("xpath=following-sibling::dd").innerText();
      return Number((text.split("\n")[0] as string).replaceAll(",", ""));
    };
    const [, , cached, free] = states as [number, number, number, number];
    expect(await fits("1")).toBe(cached + free);
    expect(await fits("1000000000")).toBe(0);
    const color = await card
      .locator(".blocks")
      .first()
      .evaluate((svg) => (svg as SVGElement).style.color);
    const line = page.locator(`figure svg[role=img] path[stroke="${hex(color)}"]`); // hidden, for Playwright, where it is flat
    await expect.poll(() => line.count()).toBe(2); // written and read
    expect(problems).toEqual([]);
  });

  it("leaves another view where its reader scrolled it while a text is written", async () => {
    await using window = await watched(browser, at("chat"), { viewport: { width: 1280, height: 500 } });
    const { page, problems } = window;
    await slowDown(page, 8000);
    await complete(page, "Fellow citizens", 60, "0");
    await expect.poll(() => page.getByText("Writing", { exact: true }).count()).toBeGreaterThan(0);
    await page.getByRole("navigation").getByRole("link", { name: "Cache" }).click();
    await page.locator(".engine").first().waitFor();
    await page.waitForTimeout(1500);
    expect(await page.evaluate(() => scrollY)).toBe(0);
    expect(problems).toEqual([]);
  });

  it("draws caches to one scale: the same area for the same bytes, twice the blocks of half the bytes", async () => {
    await using window = await watched(browser, at("cache"));
    const { page, problems } = window;
    const names = ["shared", "unshared"].map((id) => cardOf(id).name);
    const [shared, twin] = names.map((name) =>
      page.getByRole("region", { name: `Cache of ${name}`, exact: true }).first(),
    ) as [Locator, Locator];
    const seen = async (region: Locator) => {
      const [, bytes] = /([\d.]+) [KM]iB(?: in use|, not loaded yet)/.exec(await region.innerText()) ?? [];
      const svg = region.locator("svg.blocks").first();
      const { width, height } = (await svg.boundingBox()) as { width: number; height: number };
      const cells = Number(await svg.getAttribute("data-cells"));
      return { area: (width * height) / Number(bytes), cell: (width * height) / cells };
    };
    await shared.waitFor();
    const [one, other] = [await seen(shared), await seen(twin)];
    expect(one.area / other.area).toBeCloseTo(1, 1);
    expect(other.cell / one.cell).toBeCloseTo(2, 1);
    await page.getByText("the same memory holds 2× the tokens").waitFor();
    expect(problems).toEqual([]);
  });

  it("draws a cache that is not loaded from its config, and live once it is", async () => {
    await using fresh = await serving();
    for (const model of fresh.served.loaded) await model.stop();
    await using window = await watched(browser, new URL("/#cache", fresh.url).href);
    const { page, problems } = window;
    await page.getByText("the same memory holds 2× the tokens").waitFor();
    const cells = () =>
      page
        .locator(".engine svg.blocks")
        .evaluateAll((svgs) => svgs.map((svg) => Number((svg as SVGElement).dataset.cells)));
    const before = await cells();
    expect(before).toHaveLength(2);
    expect((before[0] as number) / (before[1] as number)).toBeCloseTo(2, 1);
    expect(await page.getByText(/not loaded yet/).count()).toBe(2);
    await page.getByRole("button", { name: "Load both" }).click();
    await expect.poll(() => page.getByText(/ in use, /).count(), { timeout: 30_000 }).toBe(2);
    expect(await page.getByText(/not loaded yet/).count()).toBe(0);
    expect(await page.getByRole("button", { name: /^Load/ }).count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it("changes a sharing by a click and by the keyboard, with plan's numbers", async () => {
    await using window = await watched(browser, at("sharing"));
    const { page, problems } = window;
    expect(await page.locator(".model-name strong").innerText()).toMatch(/-CLA2$/); // it begins with one that shares
    const { config } = cards[0] as ModelCard;
    const own = unshared(config.layers);
    const one = own.map((layer) => (layer === 1 ? 0 : layer));
    await page.getByLabel("Memory").fill("64MB");
    await page.getByLabel("Context, tokens").fill("300");
    await page.getByLabel("Batch").fill("3");
    await page.getByLabel("Keys and values", { exact: true }).selectOption("int8");
    await page.getByLabel("Weights", { exact: true }).selectOption("float32");
    await page.getByRole("button", { name: "No sharing" }).click();
    await expectPlan(page, { ...config, sharing: own });
    await page.getByRole("button", { name: "Layer 1: keeps its own keys and values" }).click();
    await expectPlan(page, { ...config, sharing: one });
    await page.getByRole("button", { name: "Layer 1: reads layer 0" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Layer 1: keeps its own keys and values" }).waitFor();
    await expectPlan(page, { ...config, sharing: own });
    await page.getByRole("button", { name: "CLA2", exact: true }).focus();
    await page.keyboard.press("Enter");
    await expectPlan(page, { ...config, sharing: own.map((layer) => layer - ((layer + (config.layers % 2)) % 2)) });
    expect(await page.locator(".model-name strong").innerText()).toMatch(/-CLA2$/);
    expect(problems).toEqual([]);
  });

  it("moves the borrowers of a layer that stops being an owner to its new owner", async () => {
    await using window = await watched(browser, at("sharing"));
    const { page, problems } = window;
    await page.getByRole("button", { name: "No sharing" }).click();
    await page.getByRole("button", { name: /^Layer 2:/ }).click(); // reads 1
    await page.getByRole("button", { name: "Layer 2: reads layer 1" }).waitFor();
    await page.getByRole("button", { name: /^Layer 1:/ }).click(); // reads 0, and so does 2
    await page.getByRole("button", { name: "Layer 1: reads layer 0" }).waitFor();
    expect(await page.getByRole("button", { name: "Layer 2: reads layer 0" }).count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it("says at the field what is wrong with an amount of memory, and keeps the last numbers", async () => {
    await using window = await watched(browser, at("sharing"));
    const { page, problems } = window;
    await settled(page, "sharing");
    const before = await numbers(page);
    expect(before.length).toBe(18);
    await page.getByLabel("Memory").fill("plenty");
    expect(await page.getByRole("alert").innerText()).toBe(messageOf(() => memorySize("plenty")));
    expect(await page.getByLabel("Memory").getAttribute("aria-invalid")).toBe("true");
    expect(await numbers(page)).toEqual(before);
    await page.getByLabel("Memory").fill("1kB");
    await page.getByText(/cannot hold the weights/).waitFor();
    expect(await numbers(page)).toEqual(before);
    expect(problems).toEqual([]);
  });

  it("plots the study, and leads from a point to a chat with its model", async () => {
    await using window = await watched(browser, at("study"));
    const { page, problems } = window;
    const study = (await (await fetch(new URL("/api/study", server.url))).json()) as StudyReply;
    const plot = page.getByRole("img", { name: /perplexity against KV cache/ });
    await plot.waitFor();
    await page.getByText(study.title, { exact: true }).waitFor();
    await page.getByRole("region", { name: "Details of H16-MQA-CLA2", exact: true }).waitFor(); // it opens on one that shares
    expect(await plot.locator(".point-name").allTextContents()).toEqual(study.summary.map(({ name }) => name));
    expect(await page.locator("tbody th").allTextContents()).toEqual(study.summary.map(({ name }) => name));
    const asked = study.results.find(({ id }) => id !== undefined);
    const chips = page.getByRole("group", { name: /^Models/ });
    for (const { name } of study.summary) {
      await chips.getByRole("button", { name, exact: true }).press("Enter");
      await page.getByRole("region", { name: `Details of ${name}` }).waitFor();
    }
    const circle = plot.locator("circle").first();
    await circle.hover({ force: true });
    await circle.click({ force: true });
    await page.getByRole("region", { name: `Details of ${study.summary[0]?.name}` }).waitFor();
    expect(await page.locator(".finding").innerText()).toBe(study.finding.join(" "));
    const colors = await plot
      .locator("circle[r='6']")
      .evaluateAll((dots) => dots.map((dot) => dot.getAttribute("stroke")));
    const blocks = await page
      .locator("[aria-label='What the same memory holds'] svg")
      .evaluateAll((svgs) => svgs.map((svg) => (svg as SVGElement).style.color));
    expect(blocks.map(hex)).toEqual(colors); // a model's colour is one everywhere
    await page.getByRole("img", { name: /^Loss by training step/ }).waitFor();
    expect(asked?.id).toBeDefined();
    await chips.getByRole("button", { name: asked?.name as string, exact: true }).click();
    await page.getByRole("link", { name: "Chat with this model" }).click();
    await page.getByRole("heading", { level: 1, name: "Chat" }).waitFor();
    const reachable = study.results.filter(({ name }) => name === asked?.name).map(({ id }) => id);
    const sides = await Promise.all(["Left model", "Right model"].map((side) => page.getByLabel(side).inputValue()));
    expect(sides.some((id) => reachable.includes(id))).toBe(true);
    expect(problems).toEqual([]);
  });

  it("draws on the curve of a run that is under way", async () => {
    await using window = await watched(browser, at("study"));
    const { page, problems } = window;
    const plot = page.getByRole("img", { name: /^Loss by training step/ });
    await plot.waitFor();
    await page.getByText(/1 under way/).waitFor();
    const dashed = plot.locator("[stroke-dasharray='5 4'] path").first();
    const before = await dashed.getAttribute("d");
    for (let step = 41; step <= 60; step++) trainOn(server.studyDirectory, step);
    await expect.poll(() => dashed.getAttribute("d")).not.toBe(before);
    expect(problems).toEqual([]);
  });

  it.each(["light", "dark"] as const)("follows a %s system until the reader chooses, and remembers", async (system) => {
    await using window = await watched(browser, at("chat"), { colorScheme: system });
    const { page, problems } = window;
    const isDark = () =>
      page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]) < 100);
    const other = system === "dark" ? "light" : "dark";
    expect(await isDark()).toBe(system === "dark");
    await page.getByRole("button", { name: `Use the ${other} theme` }).click();
    expect(await isDark()).toBe(other === "dark");
    await page.reload();
    await page.getByRole("button", { name: `Use the ${system} theme` }).waitFor();
    expect(await isDark()).toBe(other === "dark");
    expect(problems).toEqual([]);
  });

  it("fits a narrow screen: nothing scrolls sideways in any view", async () => {
    await using window = await watched(browser, at("chat"), { viewport: { width: 360, height: 740 } });
    const { page, problems } = window;
    expect(await page.locator("select").evaluateAll(cutTexts)).toEqual([]);
    await complete(page, "Fellow citizens", 8);
    await expect.poll(() => page.getByText(/^Done/).count()).toBe(2);
    for (const view of views) {
      await page.getByRole("navigation").getByRole("link", { name: heading[view] }).click();
      await settled(page, view);
      const over = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
      expect([view, await page.evaluate(over)]).toEqual([view, 0]);
    }
    expect(problems).toEqual([]);
  });

  it.each(["light", "dark"] as const)(
    "can be read and used by all: no finding of axe in any %s view",
    async (scheme) => {
      await using window = await watched(browser, at("chat"), { colorScheme: scheme });
      const { page, problems } = window;
      await complete(page, "Fellow citizens", 4);
      await expect.poll(() => page.getByText(/^Done/).count()).toBe(2);
      for (const view of views) {
        await page.getByRole("navigation").getByRole("link", { name: heading[view] }).click();
        await settled(page, view);
        expect([view, await findings(page)]).toEqual([view, []]);
      }
      expect(problems).toEqual([]);
    },
  );

  it("lets a reader without a mouse skip the header", async () => {
    await using window = await watched(browser, at("cache"));
    const { page, problems } = window;
    await page.getByRole("heading", { level: 1, name: "Cache" }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.querySelector("main")?.contains(document.activeElement))).toBe(true);
    expect(await page.evaluate(() => location.hash)).toBe("#cache");
    expect(problems).toEqual([]);
  });

  it("moves nothing that the reader has seen: no layout shift while views load and texts stream", async () => {
    await using window = await watched(browser, at("chat"));
    const { page, problems } = window;
    const shifted = (since = 0) =>
      page.evaluate(
        (since) =>
          new Promise<number>((resolve) => {
            let sum = 0;
            new PerformanceObserver((list) => {
              for (const entry of list.getEntries() as (PerformanceEntry & {
                value: number;
                hadRecentInput: boolean;
              })[]) {
                if (!entry.hadRecentInput && entry.startTime >= since) sum += entry.value;
              }
            }).observe({ type: "layout-shift", buffered: true });
            setTimeout(() => resolve(sum), 300);
          }),
        since,
      );
    const shown = () =>
      page.evaluate(
        () =>
          new Promise<number>((resolve) => {
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
          }),
      );
    expect(await shifted()).toBeLessThan(0.02);
    await slowDown(page, 8000);
    await complete(page, "Fellow citizens", 19);
    await page.locator(".turn").first().waitFor(); // the question moves what is below it, at once or under load later
    const since = await shown();
    await expect.poll(() => page.getByText(/^Done: \d+ tokens$/).count(), { timeout: 30_000 }).toBe(2);
    expect(await shifted(since)).toBeLessThan(0.02);
    for (const view of views) {
      await page.goto(at(view));
      await page.reload();
      await page.getByRole("heading", { level: 1, name: heading[view] }).waitFor();
      await page.waitForTimeout(1500);
      expect([view, (await shifted()) < 0.02]).toEqual([view, true]);
    }
    expect(problems).toEqual([]);
  });

  it("describes the API without asking anybody else", async () => {
    await using window = await watched(browser, new URL("/docs", server.url).href);
    const { page, problems } = window;
    await page.getByText("/v1/chat/completions").first().waitFor();
    await page.getByRole("link", { name: "crosslayer" }).click();
    await page.getByRole("navigation").getByRole("link", { name: "API" }).click();
    await page.getByRole("heading", { level: 1, name: /^API/ }).waitFor();
    expect(await findings(page)).toEqual([]);
    expect(problems).toEqual([]);
  });

  it("says how to get a study where the server has none", async () => {
    await using plain = await serving();
    await using window = await watched(browser, new URL("/#study", plain.url).href);
    const { page, problems } = window;
    await page.getByText("crosslayer serve --study runs/demo").waitFor();
    expect(problems).toEqual([]);
  });

  it("asks for the key of a server that has one", async () => {
    await using locked = await serving({ apiKey: "open sesame" });
    await using window = await watched(browser, locked.url);
    const { page, problems } = window;
    await page.getByLabel("API key").fill("wrong");
    await page.getByRole("button", { name: "Use this key" }).click();
    await page.getByText(/did not take that key/).waitFor();
    expect(await findings(page)).toEqual([]);
    await page.getByLabel("API key").fill("open sesame");
    await page.getByRole("button", { name: "Use this key" }).click();
    await complete(page, "Fellow citizens", 4);
    await expect.poll(() => page.getByText(/^Done/).count(), { timeout: 30_000 }).toBe(2);
    await page.reload();
    await page.getByLabel("Text to continue").waitFor(); // kept for this tab
    expect(problems.filter((problem) => !/\b401\b/.test(problem))).toEqual([]);
    expect(problems.some((problem) => /\b401\b/.test(problem))).toBe(true);
  });
});

async function set(page: Page, label: string, value: string): Promise<void> {
  await page.locator("details.settings").evaluate((details) => details.setAttribute("open", ""));
  await page.getByLabel(label, { exact: true }).fill(value);
}

/** Asks for a text to be continued by so many tokens. */
async function complete(page: Page, prompt: string, maxTokens: number, temperature = "0.8"): Promise<void> {
  await page.getByRole("group", { name: "Mode" }).getByRole("button", { name: "Complete" }).click();
  await set(page, "Max tokens", String(maxTokens));
  await set(page, "Temperature", temperature);
  await set(page, "Seed", "7");
  await page.getByLabel("Text to continue").fill(prompt);
  await page.getByLabel("Text to continue").press("Control+Enter");
}

/** Waits until a view shows what comes from the server. */
async function settled(page: Page, view: (typeof views)[number]): Promise<void> {
  const content = { chat: ".held", cache: ".engine", sharing: ".plan", study: ".point-name" }[view];
  await page.locator(content).first().waitFor();
}

/** Checks what a model is said to hold against its tokens and its cache. Returns the bytes. */
async function expectHeld(page: Page, column: number, card: ModelCard): Promise<number> {
  const text = await page.locator(".held").nth(column).innerText();
  const count = (pattern: RegExp) => Number((pattern.exec(text)?.[1] ?? "").replaceAll(",", ""));
  const [tokens, read, written] = [
    count(/([\d,]+) of [\d,]+ tokens/),
    count(/\(([\d,]+) read/),
    count(/([\d,]+) written/),
  ];
  expect(read).toBeGreaterThan(0);
  expect(written).toBeGreaterThan(0);
  expect(tokens).toBe(read + written);
  expect(tokens % card.blockSize).not.toBe(0); // whole blocks are more
  const taken = Math.ceil(tokens / card.blockSize) * card.blockSize;
  expect(text).toContain(`${bytesText(taken * card.kvBytesPerToken)} held`);
  if (card.unsharedKvBytesPerToken > card.kvBytesPerToken && (await page.locator(".held").count()) === 1) {
    expect(text).toContain(`, ${bytesText(taken * card.unsharedKvBytesPerToken)} without sharing`);
  }
  return taken * card.kvBytesPerToken;
}

/** The chosen texts of selects that are wider than their places. */
function cutTexts(selects: Element[]): string[] {
  const arrow = 20; // pixels
  return (selects as HTMLSelectElement[]).flatMap((select) => {
    const style = getComputedStyle(select);
    const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    context.font = style.font;
    const text = select.selectedOptions[0]?.text ?? "";
    const padding = Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.paddingRight);
    return context.measureText(text).width > select.clientWidth - padding - arrow ? [text] : [];
  });
}

/** A colour as a browser tells it (`rgb(1, 2, 3)`), as drawings write it. */
function hex(color: string): string {
  const parts = [...color.matchAll(/\d+/g)].map(([part]) => Number(part).toString(16).padStart(2, "0"));
  return `#${parts.join("")}`;
}

function numbers(page: Page): Promise<string[]> {
  return page.locator(".plan td").allTextContents();
}

/** Checks the table against the planner: 64 MB, three sequences, 300 tokens, keys and values in 8 bits. */
async function expectPlan(page: Page, model: ModelConfig): Promise<void> {
  const request: PlanRequest = {
    ...{ memory: memorySize("64MB"), reserve: 0, context: 300, batch: 3, blockSize, cuts: [] },
    ...({ weights: "float32", kvDtype: "int8" } as const),
    tensor: tensorSplit(model, 1),
  };
  const { capacity } = servingPlan(model, request);
  const twin = capacityOf({ ...model, sharing: unshared(model.layers) }, request);
  const cells = (row: string) => page.locator(`.plan tr[data-row=${row}] td`).allTextContents();
  await expect
    .poll(async () => (await cells("kv")).slice(0, 2))
    .toEqual([integerText(capacity.kvBytesPerToken), integerText(twin.kvBytesPerToken)]);
  expect((await cells("context")).slice(0, 2)).toEqual([integerText(capacity.context), integerText(twin.context)]);
  expect((await cells("batch")).slice(0, 2)).toEqual([integerText(capacity.batch), integerText(twin.batch)]);
  expect((await cells("weights")).slice(0, 2)).toEqual([bytesText(capacity.weightBytes), bytesText(twin.weightBytes)]);
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}
