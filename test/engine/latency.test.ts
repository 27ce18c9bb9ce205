import { expect, test } from "vitest";
import { LatencyLog } from "../../src/engine/latency.ts";

test("queue, first token and time per token, by a clock", () => {
  let time = 0;
  const log = new LatencyLog(() => time);
  expect(log.summary).toEqual({});
  log.arrived(7);
  time = 30;
  log.runs(7);
  time = 50;
  log.runs(7); // only the first step ends the queue
  log.wrote(7);
  expect(log.summary).toEqual({
    queue: { median: 0.03, p95: 0.03 },
    firstToken: { median: 0.05, p95: 0.05 },
  });
  time = 60;
  log.wrote(7);
  time = 80;
  log.wrote(7);
  log.ended(7);
  expect(log.summary.perToken).toEqual({ median: 0.015, p95: 0.015 });
  log.arrived(8);
  log.ended(8); // it never ran
  log.wrote(9); // nobody that came
  expect(log.summary.queue).toEqual({ median: 0.03, p95: 0.03 });
});

test("quantiles are of the last sequences", () => {
  let time = 0;
  const log = new LatencyLog(() => time);
  for (let id = 0; id < 400; id++) {
    log.arrived(id);
    time += id < 272 ? 5000 : id - 271; // 1 to 128 ms at the end
    log.runs(id);
  }
  expect(log.summary.queue).toEqual({ median: 0.064, p95: 0.122 });
});
