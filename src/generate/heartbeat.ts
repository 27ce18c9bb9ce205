// Signs of life of a process, for the one that started it (pulse.ts): a thread writes them, so that they come while the
// program computes, and tell how long it has not looked up from that.

import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";

/** The descriptor that signs are written to. */
export const pulseDescriptor = 4;

/** Milliseconds between signs. */
export const beatEveryMs = 250;

/** Begins to give signs of life, the first at once. Each is a byte: how many seconds ago the program last turned to its events, at most 255. */
export function startHeartbeat(): void {
  giveSign(pulseDescriptor, 0);
  const turns = new Int32Array(new SharedArrayBuffer(4));
  const turn = setInterval(() => Atomics.add(turns, 0, 1), beatEveryMs);
  turn.unref();
  const options = { workerData: { turns, descriptor: pulseDescriptor, everyMs: beatEveryMs } };
  new Worker(new URL("./heartbeat-thread.js", import.meta.url), options).unref();
}

/** Gives one sign. */
export function giveSign(descriptor: number, seconds: number): void {
  try {
    writeSync(descriptor, Uint8Array.of(Math.min(255, seconds)));
  } catch {
    // nobody listens, or not any more
  }
}
