// Where a study's runs are computed: one after another in this process, or on several devices at a time. There each run
// has a process of its own: a fault in native code ends one run, and a card's memory is free when the run is over.

import { type ChildProcess, fork } from "node:child_process";
import { InputError } from "../../error.ts";
import type { TrainStep } from "../../train/training.ts";
import type { Result } from "../numbers/result.ts";
import type { TrialSpec } from "./due.ts";
import type { StudyPlan } from "./plan.ts";
import type { Trial } from "./trial.ts";
import { runTrial } from "./trial.ts";

/** Steps, then the result; undefined of a run that was stopped. */
export type TrialRun = AsyncGenerator<TrainStep, Result | undefined>;

/** What a process is asked for. */
export interface TrialRequest {
  readonly plan: StudyPlan;
  readonly spec: TrialSpec;
  /** The study's directory. */
  readonly directory: string;
  readonly device: string;
  readonly threads: number | undefined;
}

/** What it answers. */
export type TrialMessage =
  | { readonly kind: "step"; readonly step: TrainStep }
  | { readonly kind: "result"; readonly result: string | undefined }
  | { readonly kind: "error"; readonly message: string };

/** Runs a trial in this process. */
export function runHere(trial: Trial, options: { directory: string; signal?: AbortSignal | undefined }): TrialRun {
  return runTrial(trial, options);
}

/** Runs a trial in a process of its own. @throws InputError where it fails, or its process ends without a result. */
export async function* runApart(request: TrialRequest, signal: AbortSignal | undefined): TrialRun {
  const child = fork(new URL("./trial-process.js", import.meta.url), {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const stop = () => child.send("stop");
  signal?.addEventListener("abort", stop);
  try {
    child.send(request);
    for await (const message of messagesOf(child)) {
      if (message.kind === "step") yield message.step;
      else if (message.kind === "result") {
        return message.result === undefined ? undefined : (JSON.parse(message.result) as Result);
      } else throw new InputError(message.message);
    }
    const { spec, device } = request;
    throw new InputError(
      `study: the process of ${spec.name}, seed ${spec.seed}, on ${device} ended without a result; the same command tries it again`,
    );
  } finally {
    signal?.removeEventListener("abort", stop);
    child.kill("SIGKILL"); // it may be inside native code
  }
}

/** What a process sends, until it ends. */
async function* messagesOf(child: ChildProcess): AsyncGenerator<TrialMessage> {
  const queue: TrialMessage[] = [];
  let ended = false;
  let wake = () => {};
  child.on("message", (message: TrialMessage) => {
    queue.push(message);
    wake();
  });
  child.on("exit", () => {
    ended = true;
    wake();
  });
  while (!ended || queue.length > 0) {
    const message = queue.shift();
    if (message) yield message;
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
