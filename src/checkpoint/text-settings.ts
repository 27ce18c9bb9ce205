// What a run says of its texts beside its tokenizer.json: the tokens that begin and end them. Runs that crosslayer trains need
// no such file; imported ones have what their makers said.

import { z } from "zod";
import { readJson } from "../files/json-file.ts";
import { checked } from "../options.ts";

const schema = z.strictObject({
  /** The texts that chat templates know by these names. */
  bos_token: z.string().optional(),
  eos_token: z.string().optional(),
  /** "template": texts begin as the tokenizer's template says, with nothing where it says nothing; else the end of text. */
  prefix: z.literal("template").optional(),
  /** Ids that end what the model writes, beside those that the tokenizer is known to have. */
  end_token_ids: z.array(z.int().min(0)).readonly().default([]),
});

/** The tokens that begin and end a model's texts. */
export type TextSettings = Readonly<z.output<typeof schema>>;

/** What holds where a run says nothing. */
export const noTextSettings: TextSettings = { end_token_ids: [] };

/** Reads the file at `path`. @throws InputError that names it and what is wrong in it. */
export async function readTextSettings(path: string): Promise<TextSettings> {
  return checked(schema, await readJson(path), path);
}
