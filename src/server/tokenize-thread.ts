// The thread that reads long texts for tokenize-reply.ts. It has tokenizers of its own, by the directories of runs.

import { parentPort } from "node:worker_threads";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type ThreadQuestion, tokenized } from "./tokenize-reply.ts";

const tokenizers = new Map<string, Tokenizer>();
let last = Promise.resolve(); // one answer after the other

parentPort?.on("message", (question: ThreadQuestion) => {
  last = last.then(async () => {
    const { run } = question;
    const tokenizer = tokenizers.get(run) ?? (await RunDirectory.open(run)).loadTokenizer();
    tokenizers.set(run, tokenizer);
    const reply = tokenized(tokenizer, question);
    parentPort?.postMessage(reply, [reply.buffer]);
  });
});
