// A real server on small real models, for tests: engines in processes, a socket, and a study if asked.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpServer, namedModel, RunDirectory, ServedModels, ServedStudy, trainBpe } from "crosslayer";
import { pino } from "pino";
import { lively } from "../model/tiny.ts";
import { writeStudy } from "./study-directory.ts";

export const text =
  "we the people of the united states, in order to form a more perfect union — établir la justice, 正義 🎈. ";

/** What can be asked of the test's server. */
export interface ServingOptions {
  study?: boolean;
  apiKey?: string;
  kvMemory?: number;
  maxQueue?: number;
  maxBody?: number;
  maxLoaded?: number;
  patience?: number;
  /** Of sequences that wait for memory. */
  waiting?: number;
  corsOrigins?: string[];
  allowedHosts?: string[];
  /** A chat template for the model without sharing. */
  template?: string;
  /** Gets the log's lines. */
  onLog?: (line: string) => void;
}

/** A server and what belongs to it. */
export interface Serving extends AsyncDisposable {
  readonly url: string;
  /** Ids: with sharing, and the same without. */
  readonly models: string[];
  /** Where the study is, if one was asked for. */
  readonly studyDirectory: string;
  readonly served: ServedModels;
  readonly server: HttpServer;
}

/** Small runs: the same sizes with and without sharing. */
export async function writeRuns(directory: string): Promise<{ id: string; path: string }[]> {
  const { json, vocab } = trainBpe([text.repeat(20)], { vocab: 300 });
  const named = { shared: "H16-GQA2-CLA2", unshared: "H16-GQA2" };
  const runs = Object.entries(named).map(([id, name]) => ({ id, name, path: join(directory, id) }));
  for (const { name, path } of runs) {
    const model = namedModel(name, { layers: 4, width: 64, mlpWidth: 160, vocab, context: 512 });
    const run = await RunDirectory.create(path, { name, model, recipe: {}, data: {} }, json);
    await run.saveModel(lively(model, 5));
  }
  return runs.map(({ id, path }) => ({ id, path }));
}

/** Starts one on a free port. */
export async function serving(options: ServingOptions = {}): Promise<Serving> {
  const { apiKey, kvMemory = 4e6, maxQueue, maxBody, maxLoaded, patience, waiting, corsOrigins, onLog } = options;
  const scratch = mkdtempSync(join(tmpdir(), "crosslayer-server-"));
  const runs = await writeRuns(scratch);
  if (options.template) writeFileSync(join(scratch, "unshared", "chat_template.jinja"), options.template);
  const study = options.study ? await ServedStudy.open(await writeStudy(join(scratch, "study"))) : undefined;
  const served = await ServedModels.open([...runs, ...(study?.runs ?? [])], {
    kvMemory,
    mostLoaded: maxLoaded,
    patience: waiting,
    engine: { threads: 1, blockSize: 32, chunk: 64 },
  });
  const logger = onLog ? pino({ level: "debug" }, { write: onLog }) : pino({ level: "silent" });
  const server = await HttpServer.listen({
    ...{ models: served, logger, port: 0, host: "127.0.0.1", version: "0.0.0", study: study?.study },
    ...{ maxQueue, maxBody, patience, corsOrigins, allowedHosts: options.allowedHosts },
    apiKeys: apiKey === undefined ? [] : [apiKey],
  });
  for (const { id } of runs) await served.load(id);
  return {
    url: server.url,
    models: runs.map(({ id }) => id),
    studyDirectory: join(scratch, "study"),
    served,
    server,
    async [Symbol.asyncDispose]() {
      await server.drain(0);
      await served[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true });
    },
  };
}
