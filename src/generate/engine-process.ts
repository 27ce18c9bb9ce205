// The process that does an engine's work: it opens a run, computes step after step while there is something to do, and
// looks at its messages in between. engine.ts starts it. A process and not a thread: ONNX Runtime 1.30 takes the whole process
// with it when a thread that runs it is ended, or when it fails itself.

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type ErrorData, errorData } from "../error.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { FromProcess, ToProcess } from "./messages.ts";
import { openRun } from "./run.ts";
import type { TextEngine } from "./text-engine.ts";

/** Milliseconds between statistics while the engine is busy. */
const statsEveryMs = 100;

/** Milliseconds until it is tried again whether there is memory for what waits. */
const retryAfterMs = 5;

let engine: TextEngine;
let working = false;
let told = 0;
let started: Promise<void> = Promise.resolve();
const opening = new Map<number, Promise<void>>(); // a request may be closed while it is being opened, which may take long

startHeartbeat();
process.on("message", (message: ToProcess) => {
  if (message.type === "start") started = receive(message);
  else if (message.type === "open") {
    const { request } = message;
    const opened = started.then(() => receive(message)).finally(() => opening.delete(request));
    opening.set(request, opened);
  } else if (message.type === "close") void (opening.get(message.request) ?? started).then(() => receive(message));
  else void started.then(() => receive(message));
});
process.on("disconnect", () => process.exit()); // nobody is left to work for
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {}); // terminals and supervisors tell every process; the one that started this decides
}

async function receive(message: ToProcess): Promise<void> {
  if (message.type === "start") {
    try {
      const opened = await openRun(message.start);
      engine = opened.engine;
      post({ type: "ready", info: opened.info, stats: engine.core.stats() });
    } catch (error) {
      post({ type: "broken", error: errorData(error) });
    }
    return;
  }
  if (message.type === "resize") {
    const { resize, kvMemory } = message;
    try {
      await engine.core.resize(kvMemory);
      post({ type: "resized", resize, stats: engine.core.stats() });
    } catch (error) {
      post({ type: "resized", resize, error: errorData(error) });
    }
    return;
  }
  const { request } = message;
  if (message.type === "close") {
    engine.close(request);
    if (!working) tell();
    return;
  }
  try {
    const { prompt, options, format } = message;
    await engine.open(request, prompt, format === undefined ? options : { ...options, format: JSON.parse(format) });
  } catch (error) {
    post({ type: "failed", request, error: errorData(error) });
    return;
  }
  if (!working) void work();
}

async function work(): Promise<void> {
  working = true;
  while (!engine.idle) {
    const chunks = [];
    const failures: { request: number; error: ErrorData }[] = [];
    const { steps } = engine.core;
    for (const event of await engine.step()) {
      if ("chunk" in event) chunks.push(event);
      else failures.push({ request: event.request, error: errorData(event.error) });
    }
    const ended = chunks.some(({ chunk }) => chunk.finishReason);
    if (ended || performance.now() - told > statsEveryMs) tell(); // first: who sees a text's end sees what it took
    if (chunks.length > 0) post({ type: "chunks", chunks });
    for (const failure of failures) post({ type: "failed", ...failure });
    if (engine.core.steps === steps) await sleep(retryAfterMs);
    else await nextTurn(); // messages come in
  }
  working = false;
  tell();
}

function tell(): void {
  told = performance.now();
  post({ type: "stats", stats: engine.core.stats() });
}

function post(message: FromProcess): void {
  process.send?.(message, undefined, undefined, () => {}); // who has gone is told by "disconnect"
}
