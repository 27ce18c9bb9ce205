// A command's option from the schema that declares it: description, choices, range and default are the schema's; its
// argument's name is the command line's.

import { Option } from "commander";
import { z } from "zod";
import { kebabCase } from "../options.ts";
import { between, from, whole } from "./numbers.ts";

/** What a command says otherwise than the schema. */
export interface OptionWords {
  readonly description?: string;
  /**
   * What holds where the option is not given, in words. The option is left unset then, for the schema to fill in:
   * a command can tell what was asked from what was not. "standard" is the schema's default; "" says nothing.
   */
  readonly told?: string;
}

/** The option called `name`. */
export function option<Shape extends z.ZodRawShape>(
  { shape }: z.ZodObject<Shape>,
  name: keyof Shape & string,
  argument: string,
  { description, told }: OptionWords = {},
): Option {
  const field = z.toJSONSchema(shape[name] as z.ZodType, { io: "input", unrepresentable: "any" });
  const standard = told === "standard" ? String(field.default) : told;
  const words = [description ?? field.description, ...(standard ? [`(default: ${standard})`] : [])];
  const made = new Option(`--${kebabCase(name)} ${argument}`.trim(), words.join(" "));
  if (field.enum) made.choices(field.enum as string[]);
  const read = numberOf(field);
  if (read) made.argParser(read);
  if (told === undefined && field.default !== undefined) made.default(field.default);
  return made;
}

/** Reads a number in the range of its schema; undefined for what is no number. */
function numberOf(field: z.core.JSONSchema.BaseSchema): ((text: string) => number) | undefined {
  const { type, minimum, exclusiveMinimum, maximum } = field;
  if (type === "integer") return whole(minimum ?? Number.MIN_SAFE_INTEGER, maximum);
  if (type !== "number") return undefined;
  if (exclusiveMinimum !== undefined) return between(exclusiveMinimum as number, maximum);
  return from(minimum ?? Number.NEGATIVE_INFINITY, maximum ?? Number.POSITIVE_INFINITY);
}
