// A child process for child.test.ts that gives signs of life, and computes for as many milliseconds as it is told.

import { startHeartbeat } from "../../dist/generate/heartbeat.js";

startHeartbeat();
process.on("message", ({ say, busy = 0 }) => {
  const until = performance.now() + busy;
  while (performance.now() < until);
  process.send({ said: say });
});
process.on("disconnect", () => process.exit());
