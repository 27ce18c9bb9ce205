// Loaded before a program (node --import): tells its parent, when asked, the longest that its event loop computed between
// two turns to a timer, in milliseconds of the main thread's own time, which others on the machine do not lengthen. Linux.

import { openSync, readSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (isMainThread && process.send) {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const buffer = Buffer.alloc(64);
  const computed = () => Number.parseInt(buffer.toString("latin1", 0, readSync(file, buffer, 0, 64, 0)), 10) / 1e6;
  let [last, longest] = [computed(), 0];
  setInterval(() => {
    const now = computed();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1).unref();
  process.on("message", () => {
    process.send(longest);
    longest = 0;
  });
  process.channel.unref();
}
