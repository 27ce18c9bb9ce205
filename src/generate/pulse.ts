// Whether a process lives, by the signs of life that it gives (heartbeat.ts). Time in which this program itself was stopped or
// busy does not count against it.

import type { Readable } from "node:stream";
import { beatEveryMs } from "./heartbeat.ts";

/** Milliseconds without a sign after which a process is out of order, and after which it is given up. */
const silentAfterMs = 2000;
const stoppedAfterMs = 6000;

/** How a process is watched. */
export interface PulseOptions {
  /** Seconds that it may now compute without turning to its events. */
  readonly longestTurn: () => number;
  /** Told once, why it is given up. */
  readonly stopped: (problem: string) => void;
}

/** The pulse of one process, from its first sign on. */
export class Pulse implements Disposable {
  readonly #stream: Readable;
  readonly #timer: NodeJS.Timeout;
  #missed = 0; // beats, as this program counts them
  #begun = false;

  /** Watches the process that writes to this stream. */
  constructor(stream: Readable, { longestTurn, stopped }: PulseOptions) {
    this.#stream = stream;
    stream.on("data", (beats: Buffer) => {
      this.#begun = true;
      this.#missed = 0;
      const turn = beats.at(-1) ?? 0;
      if (turn < longestTurn()) return;
      this[Symbol.dispose]();
      stopped(`its process has computed for ${turn} s without an end`);
    });
    stream.on("error", () => {}); // the process's end is told otherwise
    this.#timer = setInterval(() => {
      if (!this.#begun || ++this.#missed * beatEveryMs < stoppedAfterMs) return;
      this[Symbol.dispose]();
      stopped(`its process has given no sign of life for ${stoppedAfterMs / 1000} s`);
    }, beatEveryMs);
    this.#timer.unref();
  }

  /** Whether signs are missing. */
  get silent(): boolean {
    return this.#missed * beatEveryMs >= silentAfterMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stream.removeAllListeners("data");
    this.#stream.destroy();
  }
}
