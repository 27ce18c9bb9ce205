// A thread that answers questions in their order, so that this one need not work at them. It is started when it is first
// asked, keeps no program alive, and is followed by another where it ends. Knows nothing of what is asked.

import { type Transferable, Worker } from "node:worker_threads";

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A thread, and the one that follows it. */
export class Thread<Question, Answer> {
  readonly #program: URL;
  #running: { readonly worker: Worker; readonly waiting: Waiting<Answer>[] } | undefined;

  /** @param program answers each message to it by one. */
  constructor(program: URL) {
    this.#program = program;
  }

  /** Asks; what is in `moved` is the thread's from then on. @throws what the thread ended with, if it does. */
  ask(question: Question, moved: readonly Transferable[] = []): Promise<Answer> {
    this.#running ??= this.#start();
    const { worker, waiting } = this.#running;
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      worker.ref();
      worker.postMessage(question, moved);
    });
  }

  #start(): { readonly worker: Worker; readonly waiting: Waiting<Answer>[] } {
    const worker = new Worker(this.#program);
    const waiting: Waiting<Answer>[] = [];
    worker.on("message", (answer: Answer) => {
      waiting.shift()?.resolve(answer);
      if (waiting.length === 0) worker.unref();
    });
    worker.on("error", (error) => {
      this.#running = undefined;
      for (const { reject } of waiting.splice(0)) reject(error);
    });
    return { worker, waiting };
  }
}
