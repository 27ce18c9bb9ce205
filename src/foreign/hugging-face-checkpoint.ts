// A Hugging Face model's folder, opened: its config, tensors, tokenizer and how it chats.

import type { TextSettings } from "../checkpoint/text-settings.ts";
import { InputError } from "../error.ts";
import type { HubOptions } from "../files/hub-repository.ts";
import { isObject, readJson } from "../files/json-file.ts";
import { modelConfig } from "../model/config.ts";
import type { ForeignCheckpoint } from "./foreign-checkpoint.ts";
import { huggingFaceModel } from "./hugging-face-config.ts";
import type { Json } from "./json.ts";
import { type LayoutName, layouts } from "./layouts.ts";
import { type ModelFolder, openModelFolder, readFolderJson, readText } from "./model-folder.ts";
import { openShards } from "./safetensors-shards.ts";

/** What a folder leaves open. */
export interface FolderOptions extends HubOptions {
  /** A tokenizer.json in place of the folder's. */
  readonly tokenizer?: string | undefined;
  /** The layout of its tensors, if other than the config tells. */
  readonly layout?: LayoutName | undefined;
}

/** Opens a folder on disk or at `hf:owner/name`. @throws InputError if it is no model that can be computed, and why. */
export async function openHuggingFace(spec: string, options: FolderOptions = {}): Promise<ForeignCheckpoint> {
  const folder = await openModelFolder(spec, options);
  const config = await readFolderJson(folder, "config.json");
  if (config === undefined) throw new InputError(`${folder.name}: has no config.json; is it a model's folder?`);
  const { type, model, notes, layout, window } = described(folder, config);
  const name = options.layout ?? layout;
  const context = Math.min(model.context, window ?? model.context);
  const own = options.tokenizer;
  const tokenizer = own === undefined ? await readFolderJson(folder, "tokenizer.json") : await readJson(own);
  if (tokenizer === undefined) throw new InputError(`${folder.name}: has no tokenizer.json; give one with --tokenizer`);
  const shards = await openShards(folder);
  return {
    ...{ name: folder.name, title: folder.title, type },
    model: modelConfig({ ...model, context }),
    layout: layouts[name],
    tensors: shards.tensors,
    tokenizer,
    ...(await textsOf(folder, config as Json)),
    notes: [
      ...notes.filter((note) => !note.includes("window")),
      ...(context < model.context
        ? [`Some layers attend to ${window} tokens only: longer texts are left out, and the context is ${context}.`]
        : []),
      ...(type === "gpt_crosslayer" ? [`Its tensors are taken to lie as ${name}; --layout says otherwise.`] : []),
    ],
    [Symbol.asyncDispose]: () => shards[Symbol.asyncDispose](),
  };
}

function described(folder: ModelFolder, config: unknown) {
  const file = folder.nameOf("config.json");
  try {
    const found = huggingFaceModel(config);
    const { layout, type, missing } = found;
    if (missing.length > 0 || layout === undefined) {
      const reasons = missing.length > 0 ? missing.join("; ") : `${type} has blocks of its own`;
      throw new InputError(`model_type "${type}" can be planned for, not imported: crosslayer has not ${reasons}`);
    }
    return { ...found, layout };
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${error.message}`) : error;
  }
}

async function textsOf(folder: ModelFolder, config: Json): Promise<Pick<ForeignCheckpoint, "texts" | "chatTemplate">> {
  const own = await readFolderJson(folder, "tokenizer_config.json");
  const generation = await readFolderJson(folder, "generation_config.json");
  const said: Json = isObject(own) ? own : {};
  const ids = (isObject(generation) ? generation.eos_token_id : undefined) ?? config.eos_token_id;
  const token = (name: "bos_token" | "eos_token"): Pick<TextSettings, typeof name> => {
    const text = isObject(said[name]) ? said[name].content : said[name];
    return typeof text === "string" ? { [name]: text } : {};
  };
  return {
    texts: {
      ...{ ...token("bos_token"), ...token("eos_token"), prefix: "template" },
      end_token_ids: [ids].flat().filter((id): id is number => Number.isInteger(id) && (id as number) >= 0),
    },
    chatTemplate: (await readText(folder, "chat_template.jinja")) ?? templateOf(said.chat_template),
  };
}

/** A template as tokenizer_config.json has it: a text, or several by name of which the default is meant. */
function templateOf(template: unknown): string | undefined {
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return undefined;
  const found = template.find((one) => isObject(one) && one.name === "default");
  return isObject(found) && typeof found.template === "string" ? found.template : undefined;
}
