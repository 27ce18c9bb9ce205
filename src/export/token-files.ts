// How a run's texts become tokens, in the files that Hugging Face's programs read: tokenizer.json, what begins and ends a
// text, and how chats are written.

import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { isObject } from "../files/json-file.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { readTokenizerJson } from "../text/tokenizer-json.ts";

/** Ids that configs say. */
export interface TokenIds {
  readonly begin: number | null;
  /** That of the token between documents. */
  readonly end: number;
  /** All that end what a model writes. */
  readonly ends: readonly number[];
}

/** The files by name, as JSON values or text, and the ids that other files say. */
export interface TokenFiles {
  readonly ids: TokenIds;
  readonly json: Readonly<Record<string, unknown>>;
  readonly texts: Readonly<Record<string, string>>;
}

/** @throws InputError if the run's tokenizer cannot be read. */
export async function tokenFiles(run: RunDirectory): Promise<TokenFiles> {
  const { texts, config } = run;
  const tokenizer = run.loadTokenizer();
  const template = await run.chatTemplate();
  const isImported = texts.bos_token !== undefined || texts.eos_token !== undefined || texts.end_token_ids.length > 0;
  const text = (id: number) => tokenizer.decode([id]);
  const [first] = tokenizer.prefix;
  const begin = isImported ? texts.bos_token : first === undefined ? undefined : text(first);
  const end = texts.eos_token ?? text(tokenizer.endOfText);
  const ends = texts.end_token_ids.length > 0 ? texts.end_token_ids : [...tokenizer.ends];
  const ids = {
    begin: begin === undefined ? null : (tokenizer.special.get(begin) ?? null),
    end: tokenizer.endOfText,
    ends,
  };
  const json = isImported ? run.tokenizer : withPrefix(run.tokenizer, tokenizer);
  return {
    ids,
    json: {
      "tokenizer.json": json,
      "tokenizer_config.json": {
        ...{ tokenizer_class: "PreTrainedTokenizerFast", model_max_length: config.model.context },
        ...{ clean_up_tokenization_spaces: false, ...(begin !== undefined && { bos_token: begin }) },
        // Some programs look here for what tokenizer.json says.
        ...{ add_bos_token: readTokenizerJson(json).prefix.length > 0, add_eos_token: false },
        // Types of tokens, which fast tokenizers of transformers 4 give where nothing is said, are no input of these models.
        model_input_names: ["input_ids", "attention_mask"],
        ...{
          eos_token: end,
          pad_token: text(tokenizer.endOfText),
          ...(template !== undefined && { chat_template: template }),
        },
      },
      "generation_config.json": {
        ...{ ...(ids.begin !== null && { bos_token_id: ids.begin }) },
        ...{ eos_token_id: ends.length === 1 ? ends[0] : ends, pad_token_id: ids.end },
      },
    },
    texts: template === undefined ? {} : { "chat_template.jinja": template },
  };
}

/** A tokenizer.json that puts before a text what crosslayer does, where its file leaves that to who calls it. */
function withPrefix(json: unknown, tokenizer: Tokenizer): unknown {
  if (!isObject(json) || readTokenizerJson(json).prefix.length > 0) return json;
  const names = tokenizer.prefix.map((id) => tokenizer.decode([id]));
  const before = names.map((id) => ({ SpecialToken: { id, type_id: 0 } }));
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const template = {
    type: "TemplateProcessing",
    single: [...before, sequence("A", 0)],
    pair: [...before, sequence("A", 0), sequence("B", 1)],
    special_tokens: Object.fromEntries(
      names.map((name, i) => [name, { id: name, ids: [tokenizer.prefix[i]], tokens: [name] }]),
    ),
  };
  const own = isObject(json.post_processor) ? [json.post_processor] : [];
  return {
    ...json,
    post_processor: own.length === 0 ? template : { type: "Sequence", processors: [...own, template] },
  };
}
