// Python's `strip(characters)` in chat templates: the interpreter (@huggingface/jinja 0.5.11) knows it without an argument
// only, and strips all white space. Calls with one become calls of a function of ours.

/** What the function is called where templates are rendered. */
export const stripName = "strip_characters";

/** A text without those of `characters` that begin it (lstrip), end it (rstrip) or both (strip), as in Python. */
export function stripCharacters(side: string, text: string, characters: string): string {
  const [all, stripped] = [[...text], new Set(characters)];
  let [start, end] = [0, all.length];
  if (side !== "rstrip") while (start < end && stripped.has(all[start] as string)) start++;
  if (side !== "lstrip") while (start < end && stripped.has(all[end - 1] as string)) end--;
  return all.slice(start, end).join("");
}

interface Node {
  readonly type?: string;
  readonly value?: unknown;
}

/** Makes calls of `stripCharacters` of a parsed template's calls that strip characters. */
export function rewriteStrips(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  for (const child of node instanceof Map ? node.entries() : Object.values(node)) rewriteStrips(child);
  const call = node as { type?: string; callee?: Node & { object?: Node; property?: Node }; args?: Node[] };
  const { object, property } = call.callee ?? {};
  if (call.type !== "CallExpression" || !object || call.args?.length !== 1) return;
  const side = String(property?.value);
  if (!["strip", "lstrip", "rstrip"].includes(side)) return;
  call.args = [{ type: "StringLiteral", value: side }, object, call.args[0] as Node];
  call.callee = { type: "Identifier", value: stripName };
}
