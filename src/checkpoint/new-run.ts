// How a run's directory begins: what it is made of is written file by file, its config last, which makes it a run. Until
// then it is nobody's, and the same command begins again.

import { existsSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { removeStale, writeAtomic } from "../files/atomic-file.ts";
import { makeDirectory } from "../files/directory.ts";
import { encodeJson } from "../files/json-file.ts";
import { lockDirectory } from "../files/lock.ts";
import { digestOf } from "../files/sealed-json.ts";
import { checkRunConfig, encodeRunConfig, type RunConfig } from "./run-config.ts";
import { runFiles } from "./run-files.ts";
import { encodeTextSettings, noTextSettings, type TextSettings } from "./text-settings.ts";

/** What the files of a run's weights say that they were made with. */
export type WeightsOrigin = Readonly<Record<"config" | "tokenizer", string>>;

/** What a run may have beside its config and tokenizer when it begins. */
export interface RunParts {
  readonly texts?: TextSettings;
  /** How its model's chats are written, in Jinja. */
  readonly chatTemplate?: string | undefined;
  /** Writes the final weights to a path, with `origin` in their metadata: the run is finished when it begins. */
  readonly writeModel?: (path: string, origin: WeightsOrigin) => Promise<void>;
}

/** A run that was just begun. */
export interface NewRun {
  readonly config: RunConfig;
  readonly tokenizerDigest: string;
  readonly texts: TextSettings;
}

/** What weights are made with, as their file says it. */
export function weightsOrigin(config: RunConfig, tokenizerDigest: string): WeightsOrigin {
  return { config: JSON.stringify(config), tokenizer: tokenizerDigest };
}

/**
 * Writes a run to `path`, which is made if need be.
 * @throws InputError if there is a run already, another process begins one, files of another lie there, or no writing.
 */
export async function beginRun(
  path: string,
  config: RunConfig,
  tokenizer: unknown,
  { texts, chatTemplate, writeModel }: RunParts = {},
): Promise<NewRun> {
  checkNoRun(path);
  const checked = checkRunConfig(config);
  const settings = chatTemplate === undefined ? texts : sealedTemplate(texts, chatTemplate);
  const isNew = !existsSync(path);
  makeDirectory(path);
  let isBegun = false;
  try {
    using _lock = lockDirectory(path);
    checkNoRun(path); // another process may have been quicker
    checkNoLeftovers(path, { texts: settings, chatTemplate, writeModel });
    removeStale(path);
    const bytes = encodeJson(tokenizer);
    const digest = digestOf(bytes);
    await writeModel?.(join(path, runFiles.model), weightsOrigin(checked, digest));
    isBegun = true;
    await writeAtomic(join(path, runFiles.tokenizer), [bytes]);
    if (settings) await writeAtomic(join(path, runFiles.texts), [encodeTextSettings(settings)]);
    if (chatTemplate !== undefined) await writeAtomic(join(path, runFiles.chatTemplate), [Buffer.from(chatTemplate)]);
    await writeAtomic(join(path, runFiles.config), [encodeRunConfig(checked, digest)]); // last: makes it a run
    return { config: checked, tokenizerDigest: digest, texts: settings ?? noTextSettings };
  } catch (error) {
    if (isNew && !isBegun) rmdirSync(path); // nothing is in it
    throw error;
  }
}

/** The settings with the hash of the chat template that comes with them. */
function sealedTemplate(texts: TextSettings = noTextSettings, chatTemplate: string): TextSettings {
  return { ...texts, chat_template_sha256: digestOf(chatTemplate) };
}

function checkNoRun(path: string): void {
  if (!existsSync(join(path, runFiles.config))) return;
  throw new InputError(`${path}: holds a run already; continue it with --resume, or choose another directory`);
}

/** Throws InputError where a file would be taken for the new run's that it does not write itself. */
function checkNoLeftovers(path: string, { texts, chatTemplate, writeModel }: RunParts): void {
  const { metrics, checkpoint, model } = runFiles;
  const names = [
    ...[metrics, checkpoint],
    ...(writeModel ? [] : [model]),
    ...(texts ? [] : [runFiles.texts]),
    ...(chatTemplate === undefined ? [runFiles.chatTemplate] : []),
  ];
  const found = names.find((name) => existsSync(join(path, name)));
  if (found === undefined) return;
  throw new InputError(
    `${path}: holds ${found} of something that is no run (it has no ${runFiles.config}); remove it, or choose another directory`,
  );
}
