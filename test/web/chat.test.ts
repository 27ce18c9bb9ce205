// The chat in a browser, against a real server whose completions are answered here where a test needs them to be so: what
// comes of a context that runs full, of a model that is not loaded, of a reload.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelCard, ModelsReply } from "../../src/server/page-api.ts";
import { exchangesOf, leftOut, messagesOf, type Turn } from "../../web/chat/turn.ts";
import { serving } from "../server/serving.ts";
import { browserPath, launch, watched } from "./browser.ts";

const exchange = (tokens: number) => ({ question: "x".repeat(30), answer: "y".repeat(70), tokens });

describe("what goes with the next question", () => {
  it("is all that the context holds, and the newest of it", () => {
    const exchanges = [exchange(100), exchange(100), exchange(100)];
    expect(leftOut(exchanges, "z".repeat(10), { context: 512, room: 128 })).toBe(0);
    expect(leftOut(exchanges, "z".repeat(10), { context: 400, room: 128 })).toBe(1);
    expect(leftOut(exchanges, "z".repeat(10), { context: 240, room: 128 })).toBe(2);
    expect(leftOut(exchanges, "z".repeat(10), { context: 100, room: 128 })).toBe(3);
    expect(leftOut([], "a".repeat(1000), { context: 100, room: 10 })).toBe(0);
  });

  it("has answers alone, after the system prompt", () => {
    const answer = { model: "m", name: "M", status: "done", notes: [], tokens: 5 } as const;
    const usage = { prompt: 3, completion: 2, cached: 0 };
    const turns: Turn[] = [
      { id: 1, mode: "chat", question: "a", answers: { left: { ...answer, usage, text: "b" } } },
      { id: 2, mode: "chat", question: "c", answers: { left: { ...answer, usage, text: "" } } },
      { id: 3, mode: "complete", question: "d", answers: { left: { ...answer, usage, text: "e" } } },
    ];
    const exchanges = exchangesOf(turns, "left");
    expect(exchanges).toEqual([{ question: "a", answer: "b", tokens: 5 }]);
    expect(exchangesOf(turns, "right")).toEqual([]);
    expect(messagesOf(exchanges, "f", " ").map(({ role, content }) => role + content)).toEqual([
      "usera",
      "assistantb",
      "userf",
    ]);
    expect(messagesOf([], "f", "be brief")[0]).toEqual({ role: "system", content: "be brief" });
  });
});

describe.skipIf(!browserPath)("the chat", () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serving>>;
  let cards: readonly ModelCard[];
  beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), serving({ maxLoaded: 2 })]);
    cards = ((await (await fetch(new URL("/api/models", server.url))).json()) as ModelsReply).models;
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });
  const opened = () => watched(browser, new URL("/#chat", server.url).href);

  it.each(["Complete", "Chat"])("sends by Enter and breaks the line by Shift+Enter: %s", async (mode) => {
    await using window = await opened();
    const { page, problems } = window;
    await answering(page, () => ({ text: "an answer", prompt: 10 }));
    await page.getByRole("group", { name: "Mode" }).getByRole("button", { name: mode }).click();
    const area = page.locator(".composer textarea");
    await area.fill("one");
    await area.press("Shift+Enter");
    await area.pressSequentially("two");
    expect(await page.locator(".turn").count()).toBe(0);
    await area.press("Enter");
    await answered(page, 2);
    expect(await page.locator(".question").innerText()).toContain("one\ntwo");
    expect(problems).toEqual([]);
  });

  it("is ready: a model that shares beside its twin, and a prompt that only needs to be sent", async () => {
    await using window = await opened();
    const { page, problems } = window;
    await page.getByText("the same memory holds 2× the text").waitFor();
    await answering(page, () => ({ text: "a long answer ".repeat(300), prompt: 10 }));
    await page.getByRole("button", { name: "Send" }).click();
    await answered(page, 2);
    const names = await page.locator(".answer h2").allInnerTexts();
    expect(names).toEqual(["shared", "unshared"].map((id) => cards.find((card) => card.id === id)?.name));
    const [last, composer] = [page.locator(".turn").last(), page.locator(".composer")];
    const end = async (locator = last) => (await locator.boundingBox()) as { y: number; height: number };
    const newest = await end();
    expect(newest.y + newest.height).toBeLessThanOrEqual((await end(composer)).y + 1); // above the input, and in sight
    expect(newest.y + newest.height).toBeGreaterThan(0);
    expect(problems).toEqual([]);
  });

  it("keeps what was said over a reload, and forgets it when told to", async () => {
    await using window = await opened();
    const { page, problems } = window;
    await chat(page, "Who?");
    await answered(page, 2);
    const texts = await page.locator(".answer .text").allInnerTexts();
    await page.reload();
    await page.locator(".turn").waitFor();
    expect(await page.locator(".answer .text").allInnerTexts()).toEqual(texts);
    expect(await page.locator(".question").innerText()).toContain("Who?");
    await page.getByRole("button", { name: "Clear" }).click();
    await expect.poll(() => page.evaluate("sessionStorage.getItem('crosslayer-chat')")).toBe("[]");
    await page.reload();
    await page.getByRole("button", { name: "Send" }).waitFor();
    expect(await page.locator(".turn").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it("tells a server that is lost while it writes, or ends too early, from an answer that is done", async () => {
    await using window = await opened();
    const { page } = window;
    await page.getByText("Send lets both models go on with the text below.").waitFor();
    await page.getByLabel("Side by side").uncheck();
    const [whole] = eventsOf({ text: "half an", prompt: 10 }).split("data: [DONE]");
    await page.route(/\/v1\/completions$/, (route) =>
      route.fulfill({ contentType: "text/event-stream", body: whole as string }),
    );
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText(/^The answer broke off/).waitFor();
    await page.getByText("Failed", { exact: true }).waitFor();
    expect(await page.locator(".answer .text").innerText()).toBe("half an");

    const dying = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "content-length": 10_000 });
      response.write(whole, () => response.destroy());
    }).listen(0, "127.0.0.1");
    await once(dying, "listening");
    const { port } = dying.address() as AddressInfo;
    await page.unroute(/\/v1\/completions$/);
    await page.route(/\/v1\/completions$/, (route) => route.continue({ url: `http://127.0.0.1:${port}/` }));
    await page.getByRole("button", { name: "Regenerate" }).click();
    await page.getByText(/^The server went away before the answer had ended/).waitFor();
    await page.getByText("Failed", { exact: true }).waitFor();
    dying.close();
  });

  it("takes a question back to be changed, with its answers", async () => {
    await using window = await opened();
    const { page, problems } = window;
    const bodies: Body[] = [];
    await answering(page, (body) => {
      bodies.push(body);
      return { text: " well", prompt: 10 };
    });
    await chat(page, "One?");
    await answered(page, 2);
    expect(await page.locator(".answer .text").first().textContent()).toBe("well");
    await chat(page, "Two?");
    await answered(page, 4);
    expect(await page.getByRole("button", { name: "Edit" }).count()).toBe(1); // of the last question
    await page.getByRole("button", { name: "Edit" }).click();
    expect(await page.locator(".turn").count()).toBe(1);
    expect(await page.getByLabel("Message").inputValue()).toBe("Two?");
    await page.keyboard.press("End");
    await page.keyboard.type("?!");
    await page.keyboard.press("Enter");
    await answered(page, 4);
    expect(bodies[4]?.messages.at(-1)?.content).toBe("Two??!");
    expect(bodies[4]?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(problems).toEqual([]);
  });

  it("copies an answer and asks one side again, with all that came before", async () => {
    await using window = await opened();
    const { page, problems } = window;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const bodies: Body[] = [];
    await answering(page, (body) => {
      bodies.push(body);
      return { text: `answer ${bodies.length}`, prompt: 10 };
    });
    await chat(page, "One?");
    await answered(page, 2);
    await chat(page, "Two?");
    await answered(page, 4);
    const first = page.locator(".turn").last().locator(".answer").first();
    const before = await first.locator(".text").innerText();
    await first.getByRole("button", { name: "Copy" }).click();
    await first.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(before);
    await first.getByRole("button", { name: "Regenerate" }).click();
    await expect.poll(() => first.locator(".text").innerText()).toBe("answer 5");
    expect(await page.locator(".turn").count()).toBe(2);
    expect(bodies[4]?.messages.map(({ content }) => content).filter((text) => /\?/.test(text))).toEqual([
      "One?",
      "Two?",
    ]);
    expect(bodies[4]?.model).toBe(bodies[2]?.model);
    expect(await page.getByRole("button", { name: "Regenerate" }).count()).toBe(2); // of the last turn alone
    expect(problems).toEqual([]);
  });

  it("sends the system prompt first", async () => {
    await using window = await opened();
    const { page, problems } = window;
    const bodies: Body[] = [];
    await answering(page, (body) => {
      bodies.push(body);
      return { text: "yes", prompt: 10 };
    });
    await page.getByRole("group", { name: "Mode" }).getByRole("button", { name: "Chat" }).click();
    await page.locator("details.settings").evaluate((details) => details.setAttribute("open", ""));
    await page.getByLabel("System prompt").fill("Be brief.");
    await chat(page, "Who?");
    await answered(page, 2);
    for (const { messages, max_tokens } of bodies) {
      expect(messages.map(({ role }) => role)).toEqual(["system", "user"]);
      expect(max_tokens).toBeUndefined(); // the server takes what is left
    }
    expect(problems).toEqual([]);
  });

  it("leaves out the oldest where the context is full, and says so", async () => {
    await using window = await opened();
    const { page, problems } = window;
    await page.getByLabel("Side by side").uncheck();
    const { context } = (cards[0] as ModelCard).config;
    const bodies: Body[] = [];
    await answering(page, (body) => {
      bodies.push(body);
      const questions = body.messages.filter(({ role }) => role === "user").length;
      return { text: "long", prompt: Math.floor(context * 0.4) * questions, finish: questions > 1 ? "length" : "stop" };
    });
    for (const [i, question] of ["One?", "Two?", "Three?"].entries()) {
      await chat(page, question);
      await answered(page, i + 1);
    }
    const questions = bodies.map(({ messages }) =>
      messages.filter(({ role }) => role === "user").map((m) => m.content),
    );
    expect(questions).toEqual([["One?"], ["One?", "Two?"], ["Two?", "Three?"]]);
    await page
      .locator(".turn")
      .last()
      .getByText(/the oldest question and answer are left out/)
      .waitFor();
    expect(problems).toEqual([]);
  });

  it("shortens a chat that the server finds too long, and gives up only where the question alone is", async () => {
    await using window = await opened();
    const { page } = window;
    await page.getByLabel("Side by side").uncheck();
    let most = 9;
    const counts: number[] = [];
    await answering(page, ({ messages }) => {
      counts.push(messages.length);
      if (messages.length > most) return { refused: "prompt: has too many tokens" };
      return { text: "ok", prompt: 10 };
    });
    await chat(page, "One?");
    await answered(page, 1);
    most = 1;
    await chat(page, "Two?");
    await answered(page, 2);
    expect(counts).toEqual([1, 3, 1]);
    most = 0;
    await chat(page, "Three?");
    await page.getByText("prompt: has too many tokens").waitFor();
    await page.getByText("Failed", { exact: true }).waitFor();
  });

  it("says that the context is full where an answer ends for it", async () => {
    await using window = await opened();
    const { page, problems } = window;
    await page.getByLabel("Side by side").uncheck();
    const { context } = (cards[0] as ModelCard).config;
    await answering(page, ({ max_tokens }) => {
      expect(max_tokens).toBeUndefined(); // no limit: it writes until nothing fits
      return { text: "and so on", prompt: context - 4, finish: "length" };
    });
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText(`The context of ${context} tokens is full: the text ends here.`).waitFor();
    expect(problems).toEqual([]);
  });

  it("shows a model being loaded, and does not count it as time to the first text", async () => {
    await using window = await opened();
    const { page, problems } = window;
    await page.getByLabel("Side by side").uncheck();
    await page.route("**/api/models", async (route) => {
      const reply = (await (await route.fetch()).json()) as ModelsReply;
      await route.fulfill({ json: { ...reply, models: reply.models.map((card) => ({ ...card, loaded: false })) } });
    });
    let loaded = () => {};
    const loading = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    await page.route("**/load", async (route) => {
      await loading;
      await route.fulfill({ json: {} });
    });
    await answering(page, () => ({ text: "there", prompt: 10 }));
    await page.reload();
    await page.getByLabel("Side by side").uncheck();
    const start = Date.now();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Loading the model", { exact: true }).waitFor();
    await expect.poll(() => Date.now() - start).toBeGreaterThan(1000);
    loaded();
    await answered(page, 1);
    expect(await page.locator(".first-text").innerText()).toMatch(/^\d+ ms$/); // under a second
    expect(problems).toEqual([]);
  });
});

interface Body {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly max_tokens?: number;
}

type Reply = { text: string; prompt: number; finish?: string } | { refused: string };

/** Answers completions in the server's place. */
async function answering(page: Page, reply: (body: Body) => Reply): Promise<void> {
  await page.route(/\/v1\/(chat\/)?completions$/, async (route, request: Request) => {
    const answer = reply(request.postDataJSON() as Body);
    if ("refused" in answer) {
      const error = { message: answer.refused, code: "context_length_exceeded" };
      await route.fulfill({ status: 400, json: { error } });
      return;
    }
    await route.fulfill({ contentType: "text/event-stream", body: eventsOf(answer) });
  });
}

function eventsOf({ text, prompt, finish = "stop" }: { text: string; prompt: number; finish?: string }): string {
  const usage = { prompt_tokens: prompt, completion_tokens: 4 };
  const event = { choices: [{ text, delta: { content: text }, finish_reason: finish }], usage };
  return `data: ${JSON.stringify(event)}\n\ndata: [DONE]\n\n`;
}

async function chat(page: Page, question: string): Promise<void> {
  await page.getByRole("group", { name: "Mode" }).getByRole("button", { name: "Chat" }).click();
  await page.locator("details.settings").evaluate((details) => details.setAttribute("open", ""));
  await page.getByLabel("Temperature").fill("0"); // an answer without text would be left out of the next question
  await page.getByLabel("Message").fill(question);
  await page.getByLabel("Message").press("Enter");
}

/** Waits until so many answers are done. */
async function answered(page: Page, count: number): Promise<void> {
  await expect.poll(() => page.getByText(/^Done: \d+ tokens$/).count(), { timeout: 30_000 }).toBe(count);
}
