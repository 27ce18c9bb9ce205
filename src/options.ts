// How options are checked. A zod object declares a noun's options once: types, checks and defaults come from it, and
// the command line and the API's description read it. Knows no options.

import type { z } from "zod";
import { InputError } from "./error.ts";

/** How a mistake names an option: by the noun that it belongs to, or by a function of the option's name. */
export type Naming = string | ((option: string) => string);

/**
 * A value as its schema gives it, with defaults filled in.
 * @param naming a noun for "engine: kvMemory: …", or a function that names the option otherwise.
 * @param error says what is wrong where zod's own words do not serve.
 * @throws InputError about the first option that is wrong.
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  naming: Naming,
  error?: z.core.$ZodErrorMap,
): z.output<Schema> {
  const parsed = schema.safeParse(value, { error });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue;
  const option = path.join(".");
  if (typeof naming === "function") throw InputError.at(option, message, { shown: naming(option) });
  if (option === "") throw new InputError(`${naming}: ${message}`);
  throw InputError.at(option, message, { shown: `${naming}: ${option}` });
}

/** An option's name as the command line writes it: `topK` is `top-k`. */
export function kebabCase(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
