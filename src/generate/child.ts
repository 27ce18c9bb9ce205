// A child process that works for this one: messages to it and from it, its end, its next beginning. Where it stands is
// one state. Knows nothing of what the messages say.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { pulseDescriptor } from "./heartbeat.ts";
import { Pulse } from "./pulse.ts";

/** What a process is for, and who is told what it says. */
export interface ChildWork<To extends object, From> {
  /** The program that it runs. */
  readonly program: URL;
  /** Seconds that it may compute without turning to its events, where it gives signs of life. */
  readonly longestTurn: number;
  /** What a process is told first. */
  first(): To;
  /** Takes its answer to that. @throws why it could not begin; it is ended then. */
  began(answer: From): void;
  /** Takes what it says after that. */
  receive(message: From): void;
  /** Told once of every process that ended, at once: it says nothing more. */
  ended(why: Error): void;
  /** The error for an end, from what happened. */
  crash(problem: string, cause?: Error): Error;
}

/** Where it stands. What is sent to a process that starts waits until it has. */
type State =
  | { readonly is: "starting"; readonly process: ChildProcess; readonly pulse: Pulse; readonly started: Promise<void> }
  | { readonly is: "ready"; readonly process: ChildProcess; readonly pulse: Pulse }
  /** `next`: the start that follows, if one was asked for. */
  | { readonly is: "ended"; readonly process?: ChildProcess; readonly why: Error; readonly next?: Promise<void> }
  | { readonly is: "closed"; readonly process?: ChildProcess; readonly why: Error };

/** A process, and the one that follows it. */
export class Child<To extends object, From> {
  readonly #work: ChildWork<To, From>;
  #state: State;
  #awaited = 0; // things that are awaited of the process

  constructor(work: ChildWork<To, From>) {
    this.#work = work;
    this.#state = { is: "ended", why: work.crash("it was not started") };
  }

  /** Why there is no process that takes messages, if there is none. */
  get failure(): Error | undefined {
    return "why" in this.#state ? this.#state.why : undefined;
  }

  /** Whether there is a process that gives no sign of life. */
  get silent(): boolean {
    return "pulse" in this.#state && this.#state.pulse.silent;
  }

  get processId(): number | undefined {
    return this.#state.process?.pid;
  }

  /** Starts a process where none runs. @throws what `began` throws, or the crash. */
  start(): Promise<void> {
    if (this.#state.is === "closed") return Promise.reject(this.#state.why);
    const process = fork(this.#work.program, {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
    });
    const pulse = this.#watch(process);
    const started = this.#beginning(process, pulse);
    this.#state = { is: "starting", process, pulse, started };
    const hold = this.hold();
    this.send(this.#work.first());
    return started.finally(() => hold[Symbol.dispose]());
  }

  /** Ends the process, if it runs, and starts another. Calls while one starts wait for that one. */
  restart(): Promise<void> {
    const state = this.#state;
    if (state.is === "closed") return Promise.reject(state.why);
    if (state.is === "starting") return state.started;
    if (state.is === "ended" && state.next) return state.next;
    const why = state.is === "ended" ? state.why : this.#work.crash("it was restarted");
    const next = this.#kill(state.process).then(() => this.start());
    this.#state = { is: "ended", process: state.process, why, next };
    if (state.is === "ready") this.#work.ended(why);
    return next;
  }

  /** Ends the process for good. */
  async close(): Promise<void> {
    const { is, process } = this.#state;
    const why = this.#work.crash("it was closed");
    this.#state = { is: "closed", process, why };
    if (is === "starting" || is === "ready") this.#work.ended(why);
    await this.#kill(process);
  }

  /** Sends a message; to nobody, if no process takes any. */
  send(message: To): void {
    const { process } = this.#state;
    if (this.failure === undefined && process?.connected) process.send(message);
  }

  /** Makes this program wait for the process until it is disposed of: one of which nothing is awaited keeps none alive. */
  hold(): Disposable {
    this.#await(1);
    return { [Symbol.dispose]: () => this.#await(-1) };
  }

  #await(change: number): void {
    this.#awaited += change;
    const { process } = this.#state;
    const keeps = this.#awaited > 0 ? "ref" : "unref";
    process?.[keeps]();
    process?.channel?.[keeps]();
  }

  /** Gives a process up that is stopped, or computes without an end. */
  #watch(process: ChildProcess): Pulse {
    const stream = process.stdio[pulseDescriptor] as Socket;
    stream.unref(); // it keeps no program alive
    const { longestTurn, crash } = this.#work;
    const pulse = new Pulse(stream, {
      longestTurn: () => (this.#state.is === "ready" ? longestTurn : Number.POSITIVE_INFINITY), // begins as slowly as it must
      stopped: (problem) => {
        process.kill("SIGKILL");
        this.#fail(process, crash(problem));
      },
    });
    process.once("exit", () => pulse[Symbol.dispose]());
    return pulse;
  }

  /** Listens to a process; settles when it has begun, or has ended before. */
  async #beginning(process: ChildProcess, pulse: Pulse): Promise<void> {
    const { crash } = this.#work;
    process.on("error", (cause) => this.#fail(process, crash(`its process failed: ${cause.message}`, cause)));
    process.on("exit", (code, signal) => {
      const how = signal === null ? `with status ${code}` : `by ${signal}`;
      this.#fail(process, crash(`its process ended ${how}`));
    });
    const answer = new Promise<void>((resolve, reject) => {
      for (const end of ["exit", "error"]) process.once(end, () => reject(this.failure));
      process.on("message", (message: From) => {
        const state = this.#state;
        if (state.process !== process || "why" in state) return;
        if (state.is === "ready") {
          this.#work.receive(message);
          return;
        }
        try {
          this.#work.began(message);
          this.#state = { is: "ready", process, pulse };
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    try {
      await answer;
    } catch (error) {
      this.#fail(process, error as Error);
      await this.#kill(process);
      throw error;
    }
  }

  #fail(process: ChildProcess, why: Error): void {
    if (this.#state.process !== process || this.failure) return;
    this.#state = { is: "ended", process, why };
    this.#work.ended(why);
  }

  async #kill(process: ChildProcess | undefined): Promise<void> {
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    using _hold = this.hold();
    const ended = once(process, "exit");
    process.kill("SIGKILL"); // it has nothing to save
    await ended;
  }
}
