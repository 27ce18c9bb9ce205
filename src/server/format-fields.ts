// The fields that say what form a text has: OpenAI's response_format, and what vLLM and llama.cpp call the same. At most one
// of them asks for something.

import { z } from "zod";
import type { GenerateOptions } from "../generate/request.ts";
import { ApiError } from "./api-error.ts";
import { scanned } from "./json-scan.ts";

const schema = z.looseObject({}).meta({ description: "a JSON schema" });

const named = z.strictObject({
  name: z
    .string()
    .regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -")
    .optional()
    .meta({ description: "a name of your choice" }),
  description: z.string().optional(),
  schema: schema.optional().meta({ description: "a JSON schema; any object if not given" }),
  strict: z.boolean().optional().meta({ description: "accepted; the schema is always kept to" }),
});

/** A schema's text, which may hold as much as the schema might. */
const schemaText = z.string().superRefine((text, context) => {
  const { tooMuch } = scanned(new TextEncoder().encode(text), "json_schema");
  if (tooMuch) context.addIssue({ code: "custom", message: tooMuch.problem });
});

/** A schema, or the text of one. */
const schemaOrText = z.union([schema, schemaText], { error: "must be a JSON schema, or its text" });
const pattern = z.string().max(10_000).meta({ description: "a regular expression that the whole text matches" });
const choices = z.array(z.string().min(1)).min(1).max(1000).meta({ description: "the texts that it may be" });

/** The fields. */
export const formatFields = {
  response_format: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("text") }),
      z.strictObject({
        type: z.literal("json_object"),
        schema: schema.optional().meta({ description: "a JSON schema (llama.cpp); any object if not given" }),
      }),
      z.strictObject({ type: z.literal("json_schema"), json_schema: named }),
    ])
    .optional(),
  json_schema: schema.optional().meta({ description: "the schema of response_format (llama.cpp)" }),
  structured_outputs: z
    .strictObject({
      json: schemaOrText.optional(),
      regex: pattern.optional(),
      choice: choices.optional(),
      json_object: z.boolean().optional().meta({ description: "any object" }),
      backend: z.string().optional(),
      disable_fallback: z.boolean().optional(),
      disable_any_whitespace: z.literal(false).optional(),
      disable_additional_properties: z.literal(false).optional(),
    })
    .optional()
    .meta({ description: "one of json, regex, choice, json_object (vLLM)" }),
  guided_json: schemaOrText.optional().meta({ description: "structured_outputs.json (vLLM, older)" }),
  guided_regex: pattern.optional().meta({ description: "structured_outputs.regex (vLLM, older)" }),
  guided_choice: choices.optional().meta({ description: "structured_outputs.choice (vLLM, older)" }),
};

const fields = z.object(formatFields);

/** What a text must be, and the field that says so. */
export interface AskedFormat {
  readonly field: string;
  readonly format: NonNullable<GenerateOptions["format"]>;
}

/** Any JSON object: what `json_object` promises. */
const anyObject = { type: "object" };

/** The form that is asked for, if one is. @throws ApiError where several are. */
export function askedFormat(request: z.output<typeof fields>): AskedFormat | undefined {
  const { response_format: format, json_schema: bare, structured_outputs: outputs = {} } = request;
  const asked: (AskedFormat | undefined)[] = [
    format?.type === "json_object" ? ofSchema("response_format", format.schema ?? anyObject) : undefined,
    format?.type === "json_schema" ? ofSchema("response_format", format.json_schema.schema ?? anyObject) : undefined,
    bare && ofSchema("json_schema", bare),
    outputs.json === undefined ? undefined : ofSchema("structured_outputs.json", outputs.json),
    outputs.json_object ? ofSchema("structured_outputs.json_object", anyObject) : undefined,
    ofPattern("structured_outputs.regex", outputs.regex),
    ofChoices("structured_outputs.choice", outputs.choice),
    request.guided_json === undefined ? undefined : ofSchema("guided_json", request.guided_json),
    ofPattern("guided_regex", request.guided_regex),
    ofChoices("guided_choice", request.guided_choice),
  ];
  const [first, second] = asked.filter((one) => one !== undefined);
  if (second) throw wrong(second.field, `is given beside ${first?.field}; give one of them`);
  return first;
}

function ofSchema(field: string, given: object | string): AskedFormat {
  if (typeof given === "object") return { field, format: { jsonSchema: given } };
  let jsonSchema: unknown;
  try {
    jsonSchema = JSON.parse(given);
  } catch (error) {
    throw wrong(field, `is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (typeof jsonSchema !== "object" || jsonSchema === null) throw wrong(field, "must be the text of a JSON schema");
  return { field, format: { jsonSchema } };
}

function ofPattern(field: string, regex: string | undefined): AskedFormat | undefined {
  return regex === undefined ? undefined : { field, format: { regex } };
}

function ofChoices(field: string, given: readonly string[] | undefined): AskedFormat | undefined {
  return given && { field, format: { choices: given } };
}

function wrong(param: string, problem: string): ApiError {
  return new ApiError(400, `${param}: ${problem}`, { param, code: "invalid_value" });
}
