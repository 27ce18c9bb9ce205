// A process and the one that follows it: where it stands after every start, end, restart and close.

import { describe, expect, it } from "vitest";
import { Child } from "../../src/generate/child.ts";

interface To {
  readonly say?: string;
  readonly end?: number;
  readonly busy?: number;
}

interface From {
  readonly said?: string;
}

/** A child that begins with `first`, and everything that it said and that befell it. */
function childOf(first: () => To, began: (answer: From) => void = () => {}, program = "./echo-process.mjs") {
  const heard: string[] = [];
  const ends: string[] = [];
  const child = new Child<To, From>({
    program: new URL(program, import.meta.url),
    longestTurn: 2,
    first,
    began,
    receive: ({ said }) => heard.push(said ?? ""),
    ended: (why) => ends.push(why.message),
    crash: (problem) => new Error(`echo: ${problem}`),
  });
  return { child, heard, ends };
}

const hello = () => ({ say: "hello" });

describe("a child process", () => {
  it("begins, answers what was sent before it began, and is closed for good", async () => {
    const { child, heard, ends } = childOf(hello);
    const started = child.start();
    child.send({ say: "early" });
    await started;
    child.send({ say: "late" });
    await expect.poll(() => heard).toEqual(["early", "late"]);
    expect(child.failure).toBeUndefined();
    const id = child.processId as number;
    await child.close();
    expect(() => process.kill(id, 0)).toThrow(); // it is gone
    expect(ends).toEqual(["echo: it was closed"]);
    child.send({ say: "nobody hears it" });
    await expect(child.start()).rejects.toThrow("it was closed");
    await expect(child.restart()).rejects.toThrow("it was closed");
    await child.close();
    expect(ends).toHaveLength(1);
  });

  it("that ends tells why, once, and another follows", async () => {
    const { child, heard, ends } = childOf(hello);
    await child.start();
    const before = child.processId;
    child.send({ end: 7 });
    await expect.poll(() => child.failure?.message).toBe("echo: its process ended with status 7");
    expect(ends).toEqual(["echo: its process ended with status 7"]);
    await Promise.all([child.restart(), child.restart()]); // two who noticed
    expect(child.failure).toBeUndefined();
    expect(child.processId).not.toBe(before);
    child.send({ say: "again" });
    await expect.poll(() => heard).toEqual(["again"]);
    expect(ends).toHaveLength(1);
    await child.close();
  });

  it("that is restarted while it runs says nothing more, and its successor takes over", async () => {
    const { child, heard, ends } = childOf(hello);
    await child.start();
    child.send({ say: "lost" });
    const next = child.restart();
    expect(child.failure?.message).toBe("echo: it was restarted");
    await next;
    child.send({ say: "heard" });
    await expect.poll(() => heard).toEqual(["heard"]);
    expect(ends).toEqual(["echo: it was restarted"]);
    await child.close();
  });

  it("that cannot begin is ended, with the cause", async () => {
    let fails = true;
    const { child, ends } = childOf(hello, () => {
      if (fails) throw new Error("no such run");
    });
    await expect(child.start()).rejects.toThrow("no such run");
    expect(child.failure?.message).toBe("no such run");
    expect(ends).toEqual(["no such run"]);
    fails = false;
    await child.restart();
    expect(child.failure).toBeUndefined();
    await child.close();
  });

  it("that ends or is closed while it begins rejects the start", async () => {
    const dying = childOf(() => ({ end: 3 }));
    await expect(dying.child.start()).rejects.toThrow("ended with status 3");
    const closed = childOf(hello);
    const started = closed.child.start();
    await Promise.all([expect(started).rejects.toThrow("it was closed"), closed.child.close()]);
    const restarted = childOf(hello);
    await restarted.child.start();
    const next = restarted.child.restart();
    await Promise.all([expect(next).rejects.toThrow("it was closed"), restarted.child.close()]);
  });

  it("keeps this program alive only while something is awaited of it", async () => {
    const { child } = childOf(hello);
    await child.start();
    const handles = () => process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length;
    const idle = handles();
    const hold = child.hold();
    expect(handles()).toBe(idle + 1);
    hold[Symbol.dispose]();
    expect(handles()).toBe(idle);
    await child.close();
  });

  it("that is stopped is noticed, and given up", async () => {
    const { child, ends } = childOf(hello, () => {}, "./busy-process.mjs");
    try {
      await child.start();
      process.kill(child.processId as number, "SIGSTOP");
      await expect.poll(() => child.silent, { timeout: 10_000 }).toBe(true);
      expect(child.failure).toBeUndefined();
      const why = "echo: its process has given no sign of life for 6 s";
      await expect.poll(() => ends, { timeout: 20_000 }).toEqual([why]);
      await child.restart();
      expect([child.silent, child.failure]).toEqual([false, undefined]);
    } finally {
      await child.close();
    }
  });

  it("that computes without an end is given up, but not for computing long enough", async () => {
    const first = () => ({ say: "hello", busy: 3000 });
    const { child, heard, ends } = childOf(first, () => {}, "./busy-process.mjs");
    try {
      await child.start(); // it may begin as slowly as it must
      child.send({ say: "quick", busy: 500 });
      await expect.poll(() => heard, { timeout: 10_000 }).toEqual(["quick"]);
      child.send({ say: "slow", busy: 60_000 });
      const why = "echo: its process has computed for 2 s without an end";
      await expect.poll(() => ends, { timeout: 20_000 }).toEqual([why]);
      expect(heard).toEqual(["quick"]);
    } finally {
      await child.close();
    }
  });
});
