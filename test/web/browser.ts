// A browser for tests of the page: found on this machine or not there. A page is watched from its first request on;
// what it complained of, and what it asked of whom, can be read at the end.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Where the browser is; undefined if there is none. */
export const browserPath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));

/** Starts the browser. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath as string, args: ["--no-sandbox"] });
}

/** A page under watch. */
export interface Watched {
  readonly page: Page;
  /** Console errors, exceptions, failed requests, answers of 400 and more, requests to elsewhere. */
  readonly problems: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens `url` in a window of its own. Requests that the page itself broke off are no problem. */
export async function watched(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) problems.push(`elsewhere: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText;
    if (reason !== "net::ERR_ABORTED") problems.push(`failed: ${request.url()}: ${reason}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`answer: ${response.url()}: ${response.status()}`);
  });
  await page.goto(url);
  return { page, problems, [Symbol.asyncDispose]: () => context.close() };
}

const axeSource = readFileSync(
  fileURLToPath(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url)),
  "utf8",
);

/** Serious and critical findings of axe on the page as it is, in sentences. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource); // by the debugger: the page's own rules let no script in
  const found = (await page.evaluate("axe.run()")) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0]?.html}`);
}

/** Lets no more than so many bytes a second come in, so that a fast model can be seen writing. */
export async function slowDown(page: Page, bytesPerSecond: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", {
    ...{ offline: false, latency: 0, uploadThroughput: -1 },
    downloadThroughput: bytesPerSecond,
  });
}
