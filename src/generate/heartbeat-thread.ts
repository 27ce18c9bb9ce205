// The thread of heartbeat.ts.

import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

const { turns, descriptor, everyMs } = workerData as { turns: Int32Array; descriptor: number; everyMs: number };
let seen = -1;
let beats = 0; // since the program's last turn

setInterval(() => {
  const now = Atomics.load(turns, 0);
  beats = now === seen ? beats + 1 : 0;
  seen = now;
  try {
    writeSync(descriptor, Uint8Array.of(Math.min(255, Math.floor((beats * everyMs) / 1000))));
  } catch {
    // nobody listens any more
  }
}, everyMs);
