// Progress of long work on standard error: a bar on a terminal, a line now and then elsewhere.

import { Presets, SingleBar } from "cli-progress";
import { durationText, integerText } from "../charts/quantity.ts";

/** One bar of work, counted in steps. */
export interface Progress {
  /** `done` steps are done; `note` is shown beside the bar. */
  update(done: number, note: string): void;
  /** Ends the bar, leaving it as it is. */
  stop(): void;
}

/** Seconds between lines where there is no terminal. */
const lineEverySeconds = 10;

/** Starts progress of `label` at `start` of `total` steps. */
export function progress(label: string, total: number, start = 0): Progress {
  return process.stderr.isTTY ? bar(label, total, start) : lines(label, total, start);
}

function bar(label: string, total: number, start: number): Progress {
  const shown = new SingleBar(
    {
      format: `${label} {bar} {value}/{total}  {note}  {left} left`,
      hideCursor: true,
      barsize: 24,
      stopOnComplete: false,
    },
    Presets.shades_classic,
  );
  const left = timeLeft(total, start);
  shown.start(total, start, { note: "", left: "…" });
  return { update: (done, note) => shown.update(done, { note, left: left(done) }), stop: () => shown.stop() };
}

function lines(label: string, total: number, start: number): Progress {
  const left = timeLeft(total, start);
  let last = performance.now();
  return {
    update(done, note) {
      const now = performance.now();
      if (done < total && now - last < lineEverySeconds * 1000) return;
      last = now;
      console.error(`${label} ${integerText(done)}/${integerText(total)}  ${note}  ${left(done)} left`);
    },
    stop() {},
  };
}

/** The time left at the rate so far. */
function timeLeft(total: number, start: number): (done: number) => string {
  const begun = performance.now();
  return (done) => {
    if (done <= start) return "…";
    return durationText(((performance.now() - begun) / 1000 / (done - start)) * (total - done));
  };
}
