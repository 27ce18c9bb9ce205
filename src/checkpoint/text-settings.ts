// What a run says of its texts beside its tokenizer.json: the tokens that begin and end them. Runs that crosslayer trains need
// no such file; imported ones have what their makers said.

import { z } from "zod";
import { parseJson } from "../files/json-file.ts";
import { readWhole } from "../files/regular-file.ts";
import { encodeSealed, notAsWritten, sealOf } from "../files/sealed-json.ts";
import { checked } from "../options.ts";

const schema = z.strictObject({
  /** The texts that chat templates know by these names. */
  bos_token: z.string().optional(),
  eos_token: z.string().optional(),
  /** "template": texts begin as the tokenizer's template says, with nothing where it says nothing; else the end of text. */
  prefix: z.literal("template").optional(),
  /** Ids that end what the model writes, beside those that the tokenizer is known to have. */
  end_token_ids: z.array(z.int().min(0)).readonly().default([]),
  /** The SHA-256 of the chat template that came with them. */
  chat_template_sha256: z.string().optional(),
});

/** The tokens that begin and end a model's texts. */
export type TextSettings = Readonly<z.output<typeof schema>>;

/** What holds where a run says nothing. */
export const noTextSettings: TextSettings = { end_token_ids: [] };

/** The bytes of a file of settings, which knows its own checksum. */
export function encodeTextSettings(texts: TextSettings): Uint8Array {
  return encodeSealed(texts);
}

/** Reads the file at `path`. @throws InputError that names it and what is wrong in it, or that it is not as written. */
export function readTextSettings(path: string): TextSettings {
  const bytes = readWhole(path);
  const sealed = schema.extend({ checksum: z.string().optional() }); // files from before, or by hand, have none
  const { checksum, ...texts } = checked(sealed, parseJson(path, bytes.toString("utf8")), path);
  if (checksum !== undefined && sealOf(bytes) !== "intact") throw notAsWritten(path);
  return texts;
}
