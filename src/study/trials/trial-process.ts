// The process of one run of a study: opens the text, trains on its device, tells steps and the result. Started by workers.ts.

import { join } from "node:path";
import { openCorpus } from "../../text/corpus.ts";
import { openEvaluations } from "./evaluations.ts";
import { planTrial } from "./plan-trial.ts";
import { runTrial } from "./trial.ts";
import type { TrialMessage, TrialRequest } from "./workers.ts";

const controller = new AbortController();

process.on("message", (message: TrialRequest | "stop") => {
  if (message === "stop") controller.abort();
  else void run(message);
});
process.on("disconnect", () => process.exit()); // nobody is left to tell
process.on("SIGINT", () => {}); // a terminal tells every process; the one that started this decides

async function run({ plan, spec, directory, device, threads }: TrialRequest): Promise<void> {
  try {
    const corpus = await openCorpus({ ...plan.data, directory: join(directory, "data") });
    using _data = corpus.data;
    const trial = planTrial(plan, corpus, spec, { threads, device, evaluations: await openEvaluations(plan) });
    const steps = runTrial(trial, { directory: join(directory, "trials"), signal: controller.signal });
    for (;;) {
      const next = await steps.next();
      if (!next.done) {
        await post({ kind: "step", step: next.value });
        continue;
      }
      await post({ kind: "result", result: next.value && JSON.stringify(next.value) });
      break;
    }
  } catch (error) {
    await post({ kind: "error", message: (error as Error).message });
  }
  process.disconnect();
}

function post(message: TrialMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}
