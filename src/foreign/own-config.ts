// The config.json of a model that crosslayer exported for its own code in transformers: it holds the model in our words.

import { InputError } from "../error.ts";
import { isObject } from "../files/json-file.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";
import type { ForeignModel } from "./hugging-face-config.ts";
import type { Json } from "./json.ts";

/** The model that it describes. @throws InputError if it is not said in our words, or differently in theirs. */
export function ownModel(config: Json): ForeignModel {
  if (!isObject(config.crosslayer))
    throw new InputError('model_type "crosslayer" needs "crosslayer", the model in our words');
  const model = modelConfig(config.crosslayer as unknown as ModelConfig);
  const said = config.sharing_pattern;
  if (Array.isArray(said) && said.join() !== model.sharing.join()) {
    throw new InputError(`sharing_pattern is ${said.join()}, but crosslayer.sharing ${model.sharing.join()}; keep one`);
  }
  return { type: "crosslayer", model, notes: [], layout: "crosslayer", missing: [], window: undefined };
}
