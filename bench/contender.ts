// A contender of a benchmark: a process that answers a line of JSON for every line `step`, and a first line when it is
// ready. Knows nothing of what a step is.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A running contender: answers one step at a time. */
export class Contender<Report> {
  readonly name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.name = name;
    const [program, ...rest] = command as [string, ...string[]];
    this.#child = spawn(program, rest, { env });
    this.#child.stderr.on("data", (text) => process.stderr.write(text));
    this.#child.stdin.on("error", () => {}); // it ended; the next line says so
    this.#child.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Its first line; undefined where it is not installed. */
  ready(): Promise<string | undefined> {
    return this.#line();
  }

  /** One step; undefined where it ended. */
  async step(): Promise<Report | undefined> {
    this.#child.stdin.write("step\n");
    const line = await this.#line();
    return line === undefined ? undefined : (JSON.parse(line) as Report);
  }

  /** The most memory that it had so far; undefined where the system has no /proc. */
  peakMB(): number | undefined {
    const file = `/proc/${this.#child.pid}/status`;
    const peak = existsSync(file) && /VmHWM:\s*(\d+) kB/.exec(readFileSync(file, "utf8"))?.[1];
    return peak ? Number(peak) / 1024 : undefined;
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.pid !== undefined) await once(this.#child, "exit");
  }

  async #line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }
}
