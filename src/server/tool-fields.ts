// The fields of a chat that offer tools, and what they ask of the model's text.

import { z } from "zod";
import type { ToolCalls } from "../grammar/tool-calls.ts";
import type { Tool } from "../text/chat-message.ts";
import type { ToolFormName } from "../text/tool-form.ts";
import { ApiError } from "./api-error.ts";
import type { AskedFormat } from "./format-fields.ts";

const name = z.string().regex(/^[\w.-]{1,128}$/, "must be 1 to 128 letters, digits, _, . or -");

const tool = z.strictObject({
  type: z.literal("function", { error: "must be function; other tools are not supported" }),
  function: z.strictObject({
    name,
    description: z.string().optional(),
    parameters: z.looseObject({}).optional().meta({ description: "a JSON schema; an object of any kind if not given" }),
    strict: z.boolean().optional().meta({ description: "arguments are always right, not only where a call is forced" }),
  }),
});

const one = z.strictObject({ type: z.literal("function"), function: z.strictObject({ name }) });

const choice = z.union(
  [
    z.enum(["none", "auto", "required"]),
    one,
    z.strictObject({
      type: z.literal("allowed_tools"),
      allowed_tools: z.strictObject({ mode: z.enum(["auto", "required"]), tools: z.array(one).min(1) }),
    }),
  ],
  { error: 'must be none, auto, required, or {"type": "function", "function": {"name": …}}' },
);

/** The fields. */
export const toolFields = {
  tools: z.array(tool).max(128).optional().meta({ description: "functions that the model may call" }),
  tool_choice: choice.optional().meta({ description: "auto if not given: the model chooses; required: it must call" }),
  parallel_tool_calls: z
    .boolean()
    .optional()
    .meta({ description: "whether several may be called at once; if not given, one where a call is forced" }),
};

const fields = z.object(toolFields);
type Fields = z.output<typeof fields>;

/** Tools that may be called now. */
export interface AskedTools {
  /** What the model is told of. */
  readonly offered: readonly Tool[];
  /** What its text must be; undefined where any text may come. */
  readonly calls: ToolCalls | undefined;
}

/**
 * What is asked of tools; undefined if nothing may be called.
 * @param format what the text must be where it calls nothing.
 * @throws ApiError for a choice of what there is not.
 */
export function askedTools(
  { tools = [], tool_choice: choice = "auto", parallel_tool_calls: parallel }: Fields,
  form: ToolFormName,
  format: AskedFormat | undefined,
): AskedTools | undefined {
  const { names, forced } = chosen(choice);
  if (tools.length === 0 && !forced) return undefined;
  if (tools.length === 0) throw wrong("needs tools");
  const twice = tools.findIndex(({ function: one }, i) =>
    tools.some((two, j) => j < i && two.function.name === one.name),
  );
  if (twice >= 0) throw wrong(`there are two called ${tools[twice]?.function.name}`, `tools[${twice}].function.name`);
  const unknown = names?.find((name) => !tools.some((tool) => tool.function.name === name));
  if (unknown !== undefined) throw wrong(`there is no tool called ${unknown}`);
  if (choice === "none") return undefined;
  const callable = tools.filter((tool) => names?.includes(tool.function.name) ?? true);
  const strict = callable.some((tool) => tool.function.strict);
  const several = parallel ?? !forced; // a model that must call and is small may never stop
  const base = { form, tools: callable.map(({ function: { name, parameters } }) => ({ name, parameters })), several };
  const offered = tools.map(({ type, function: { strict: _, ...told } }) => ({ type, function: told }));
  if (forced) return { offered, calls: { ...base, beside: "nothing" } };
  if (format && "jsonSchema" in (format.format as object)) {
    return { offered, calls: { ...base, beside: format.format as { jsonSchema: object } } };
  }
  if (format) throw wrong(`is given beside ${format.field}, which leaves no room for calls`, "tools");
  return { offered, calls: strict ? { ...base, beside: "text" } : undefined };
}

function chosen(choice: NonNullable<Fields["tool_choice"]>): { names?: readonly string[]; forced: boolean } {
  if (typeof choice === "string") return { forced: choice === "required" };
  if (choice.type === "function") return { names: [choice.function.name], forced: true };
  const { mode, tools } = choice.allowed_tools;
  return { names: tools.map((tool) => tool.function.name), forced: mode === "required" };
}

function wrong(problem: string, param = "tool_choice"): ApiError {
  return new ApiError(400, `${param}: ${problem}`, { param, code: "invalid_value" });
}
