// `crosslayer serve`: runs, or a study's models, by the OpenAI API, and the page that shows what sharing saves.

import { basename, resolve } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { destination, pino } from "pino";
import { bytesText, integerText } from "../charts/quantity.ts";
import { InputError } from "../error.ts";
import { engineOptions } from "../generate/engine-options.ts";
import { isLoopback } from "../server/host-check.ts";
import { HttpServer } from "../server/http-server.ts";
import { serveSchema } from "../server/serve-options.ts";
import { ServedModels, type ServedRun } from "../server/served-models.ts";
import { ServedStudy } from "../server/served-study.ts";
import { ownVersion } from "../study/trials/versions.ts";
import { type EngineFlags, engineFlags, engineOptionsOf } from "./engine-options.ts";
import { interrupted } from "./interrupt.ts";
import { between } from "./numbers.ts";
import { option } from "./option.ts";

interface Flags extends EngineFlags {
  host: string;
  port: number;
  apiKey?: string[];
  study?: string;
  corsOrigin?: string[];
  allowedHosts?: string[];
  maxBody: string;
  maxQueue: number;
  maxLoaded: number;
  drainTimeout: number;
  logLevel: string;
}

/** The subcommand. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description("serve runs by the OpenAI API, and a page that shows what sharing saves")
    .argument("[runs...]", "directories of runs; each is asked by its directory's name")
    .option("--study <directory>", "show a study, and serve its models")
    .addOption(option(serveSchema, "port", "<number>"))
    .addOption(option(serveSchema, "host", "<address>"))
    .option("--api-key <key...>", "keys of which one is needed (or CROSSLAYER_API_KEY, which no process list shows)")
    .option("--cors-origin <origin...>", "other origins whose pages may ask; * for any")
    .option(
      "--allowed-hosts <name...>",
      "names, beside localhost, by which it may be asked; .example.org for all under it",
    )
    .addOption(option(serveSchema, "maxBody", "<size>"))
    .addOption(option(serveSchema, "maxQueue", "<count>"))
    .addOption(option(serveSchema, "maxLoaded", "<count>"))
    .option("--drain-timeout <seconds>", "how long open requests may go on after SIGTERM", between(0, 3600), 30)
    .option("--log-level <level>", "of the log, JSON lines on standard error: debug, info, warn, silent", "info");
  return engineFlags(command).action(runServe);
}

async function runServe(paths: string[], flags: Flags): Promise<void> {
  if (paths.length === 0 && flags.study === undefined) {
    throw new InputError("serve: give a run's directory, or a study's with --study");
  }
  if (!["debug", "info", "warn", "error", "silent"].includes(flags.logLevel)) {
    throw new InputError(`--log-level: found ${flags.logLevel}; expected debug, info, warn, error or silent`);
  }
  if (flags.apiKey?.includes(""))
    throw new InputError("--api-key: found an empty key; give one, or leave the option out");
  const served = flags.study === undefined ? undefined : await ServedStudy.open(flags.study);
  const ofStudy = served?.runs ?? [];
  const given = paths.filter((path) => !ofStudy.some((run) => resolve(run.path) === resolve(path)));
  const runs: ServedRun[] = [...given.map((path) => ({ id: basename(resolve(path)), path })), ...ofStudy];
  const { kvMemory: _, ...engine } = engineOptionsOf(flags);
  const { kvMemory } = engineOptions(engineOptionsOf(flags));
  await using models = await ServedModels.open(runs, {
    kvMemory,
    engine,
    mostLoaded: flags.maxLoaded,
  });
  const eager = runs.filter(({ path }) => paths.some((asked) => resolve(asked) === resolve(path)));
  for (const { id } of eager.slice(0, flags.maxLoaded)) await models.load(id); // what is wrong is told now
  const apiKeys = flags.apiKey ?? keysOf(process.env.CROSSLAYER_API_KEY);
  const logger = pino({ level: flags.logLevel, base: null }, destination({ dest: 2, sync: false }));
  const server = await HttpServer.listen({
    models,
    logger,
    port: flags.port,
    host: flags.host,
    study: served?.study,
    version: ownVersion(),
    apiKeys,
    corsOrigins: flags.corsOrigin,
    allowedHosts: flags.allowedHosts?.flatMap((names) => names.split(",")),
    maxBody: flags.maxBody,
    maxQueue: flags.maxQueue,
  });
  tell(server.url, models);
  if (apiKeys.length === 0 && !isLoopback(flags.host)) warnOfOpenness(flags.host);
  await endAsked();
  console.error(pc.dim(`letting open requests finish, ${flags.drainTimeout} s at most`));
  const finished = await server.drain(flags.drainTimeout * 1000);
  if (!finished) console.error(pc.dim("some did not finish in time"));
}

/** Milliseconds in which one Ctrl-C may come several times: terminals and npm tell the same process of it. */
const sameSignalMs = 1000;

/** Settles when a signal asks for the end. Further ones change nothing, but for a Ctrl-C later on, which does not wait. */
async function endAsked(): Promise<void> {
  let asked: number | undefined;
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {}); // the terminal may have gone
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(signal, () => {
        asked ??= performance.now();
        if (signal === "SIGINT" && performance.now() - asked > sameSignalMs) process.exit(interrupted);
        resolve();
      });
    }
  });
}

/** Says what is open to whom. */
function warnOfOpenness(host: string): void {
  const warning = `${host} lets everyone who reaches this machine ask, without a key: set CROSSLAYER_API_KEY or --api-key`;
  console.error(`${pc.bold(pc.red("warning:"))} ${warning}`);
}

function keysOf(text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : [text];
}

function tell(url: string, models: ServedModels): void {
  console.log(`${pc.bold(url)}  page, ${url}/v1  OpenAI API, ${url}/docs  its description`);
  for (const { card } of models.all) {
    const { id, name, kvDtype, kvBytesPerToken, unsharedKvBytesPerToken } = card;
    const times = unsharedKvBytesPerToken / kvBytesPerToken;
    const saved = times > 1 ? `, ${bytesText(unsharedKvBytesPerToken)} without sharing (${times.toFixed(2)}×)` : "";
    console.log(`  ${pc.cyan(id)}  ${name}, ${kvDtype}: ${bytesText(kvBytesPerToken)} of cache per token${saved}`);
  }
  console.log(pc.dim(`  ${bytesText(models.kvMemory)} (${integerText(models.kvMemory)} bytes) of cache for all`));
}
