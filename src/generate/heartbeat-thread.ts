// The thread of heartbeat.ts.

import { workerData } from "node:worker_threads";
import { giveSign } from "./heartbeat.ts";

const { turns, descriptor, everyMs } = workerData as { turns: Int32Array; descriptor: number; everyMs: number };
let seen = -1;
let beats = 0; // since the program's last turn

setInterval(() => {
  const now = Atomics.load(turns, 0);
  beats = now === seen ? beats + 1 : 0;
  seen = now;
  giveSign(descriptor, Math.floor((beats * everyMs) / 1000));
}, everyMs);
