// Progress of long work on standard error: a bar on a terminal, a line now and then elsewhere.

import { Presets, SingleBar } from "cli-progress";
import { durationText, integerText } from "../charts/quantity.ts";
import type { CorpusOptions } from "../text/corpus.ts";

/** One bar of work, counted in steps. */
export interface Progress {
  /** `done` steps are done; `note` is shown beside the bar. */
  update(done: number, note: string): void;
  /** Ends the bar, leaving it as it is. */
  stop(): void;
}

/** Seconds between lines where there is no terminal, and before the first. */
const lineEverySeconds = 10;
const firstLineSeconds = 1;

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
  let next = performance.now() + firstLineSeconds * 1000;
  let isTold = false; // that all is done
  return {
    update(done, note) {
      const now = performance.now();
      if (isTold || (done < total && now < next)) return;
      isTold = done >= total;
      next = now + lineEverySeconds * 1000;
      console.error(`${label} ${integerText(done)}/${integerText(total)}  ${note}  ${left(done)} left`);
    },
    stop() {},
  };
}

/** Progress of reading documents whose number nobody knows: a line now and then. */
export function documentProgress(label: string): (documents: number) => void {
  let last = performance.now();
  return (documents) => {
    const now = performance.now();
    if (now - last < lineEverySeconds * 1000) return;
    last = now;
    console.error(`${label}: ${integerText(documents)} documents`);
  };
}

/** Progress of text that is made ready: what is being done, then a line now and then. */
export function corpusProgress(source: string): Required<Pick<CorpusOptions, "onProgress">> {
  const doing = { tokenizer: `training a tokenizer on ${source}`, tokens: `reading ${source}` };
  const told = { tokenizer: documentProgress(doing.tokenizer), tokens: documentProgress(doing.tokens) };
  return {
    onProgress(stage, documents) {
      if (documents === 0) console.error(doing[stage]);
      else told[stage](documents);
    },
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
