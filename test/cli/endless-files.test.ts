// What has no end (a pipe, a socket, a device) is refused wherever a file is asked for, and waited for nowhere.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MetricsLog } from "../../src/checkpoint/metrics-log.ts";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { chosenModel } from "../../src/cli/model-options.ts";
import { openPrompts } from "../../src/cli/prompts.ts";
import { readTask } from "../../src/eval/tasks/task-files.ts";
import { taskOf } from "../../src/eval/tasks/task-table.ts";
import { AtomicFile, writeAtomic } from "../../src/files/atomic-file.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { readResults } from "../../src/study/numbers/result.ts";
import { loadPlan } from "../../src/study/trials/plan.ts";
import { openShard } from "../../src/text/shard.ts";
import { openSource } from "../../src/text/source.ts";
import { openTokenizer } from "../../src/text/tokenizer-file.ts";
import { scratch } from "../files/scratch.ts";
import { smallRun } from "./small-run.ts";

const endless = /is a pipe, a socket or a device; save what it gives to a file/;

/** Puts something without an end at a path. */
const kinds: Record<string, (path: string) => void | Promise<void>> = {
  pipe: (path) => void execFileSync("mkfifo", [path]),
  device: (path) => symlinkSync("/dev/zero", path),
  socket: async (path) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    server.unref(); // ends with the test's process
  },
};

/** Whatever reads a file that a user names, by the ending that the file must have. */
const readers: Record<string, readonly [ending: string, read: (path: string) => unknown]> = {
  "--file": [".jsonl", openPrompts],
  "--tokenizer": [".json", (path) => openTokenizer(path)],
  "--config": [".json", (path) => chosenModel(undefined, { config: path }, { vocab: 300, context: 16 })],
  "--data of a .txt": [".txt", (path) => openSource(path)],
  "--data of a .jsonl": [".jsonl", (path) => openSource(path)],
  "--data of a .parquet": [".parquet", (path) => openSource(path)],
  "--tasks": [".jsonl", (path) => readTask(taskOf("piqa"), path)],
  "--tasks, packed by gzip": [".jsonl.gz", (path) => readTask(taskOf("piqa"), path)],
  "--tasks, packed by xz": [".jsonl.xz", (path) => readTask(taskOf("piqa"), path)],
  "a plan": [".json", loadPlan],
  "a study's results": [".jsonl", (path) => readResults(path)],
  metrics: [".jsonl", (path) => new MetricsLog(path).append({ step: 1 })],
  "a shard": [".shard", openShard],
  "a GGUF": [".gguf", (path) => openCheckpoint(path)],
  "a model of llama2.c": [".bin", (path) => openCheckpoint(path, { tokenizer: path })],
};

describe.each(Object.keys(kinds))("a %s is refused", (kind) => {
  test.each(Object.entries(readers))("as %s", async (_, [ending, read]) => {
    const path = join(scratch(), `file${ending}`);
    await kinds[kind]?.(path);
    await expect((async () => read(path))()).rejects.toThrow(endless);
  });

  test("in a directory of documents", async () => {
    const directory = scratch();
    writeFileSync(join(directory, "a.txt"), "text");
    await kinds[kind]?.(join(directory, "b.txt"));
    expect(() => openSource(directory)).toThrow(endless);
  });

  test.each(["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "chat_template.jinja"])(
    "as a run's %s",
    async (name) => {
      const directory = join(scratch(), "run");
      await smallRun(directory, { without: name });
      await kinds[kind]?.(join(directory, name));
      const reading = async () => {
        const run = await RunDirectory.open(directory);
        await run.chatTemplate();
        await run.loadModel();
      };
      await expect(reading()).rejects.toThrow(endless);
    },
  );

  test("as what is written whole, which would replace it", async () => {
    const path = join(scratch(), "out.json");
    await kinds[kind]?.(path);
    await expect(writeAtomic(path, [new Uint8Array(1)])).rejects.toThrow(endless);
    expect(() => new AtomicFile(path)).toThrow(endless);
  });
});

test("files that lie behind links are read", async () => {
  const directory = scratch();
  mkdirSync(join(directory, "real"));
  writeFileSync(join(directory, "real", "prompts.jsonl"), '\ufeff{"prompt":"we"}\n');
  symlinkSync(join(directory, "real"), join(directory, "link"));
  const path = join(directory, "link", "prompts.jsonl");
  expect(readFileSync(path, "utf8")).toContain("we");
  expect(await openPrompts(path)).toEqual([{ index: 0, prompt: "we", options: {} }]);
});
