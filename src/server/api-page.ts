// The API's description as a page: every path, its fields and its answers, from the OpenAPI document that programs read.
// Plain HTML without scripts, so it needs nothing from anywhere. Knows of the API only what the document says.

/** A JSON schema, as far as it is shown. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description?: string;
    readonly required?: boolean;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

/** An OpenAPI document, as far as it is shown. */
interface Description {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>>; readonly securitySchemes?: object };
}

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --dim: #666; --link: #2a5fc9 }
@media (prefers-color-scheme: dark) { :root { --dim: #aaa; --link: #8ab0f5 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1rem 4rem }
a { color: var(--link) }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
h3 { margin: 2rem 0 .25rem; font-size: 1.1rem }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { background: var(--soft); padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: .4rem }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600 }
.dim { color: var(--dim) }
.method { font-weight: 700; text-transform: uppercase }
details { margin: .5rem 0 }
summary { cursor: pointer }`;

/** The page of an OpenAPI document. */
export function apiPage(document: object): string {
  const { info, paths, components } = document as Description;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags))];
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(tag));
    return `<h2>${text(tag)}</h2>${own.map((one) => operationText(one, components.schemas)).join("")}`;
  });
  const key = components.securitySchemes
    ? "<p>A key is needed: <code>Authorization: Bearer &lt;key&gt;</code>.</p>"
    : "<p>No key is needed.</p>";
  const schemas = Object.entries(components.schemas)
    .map(([name, schema]) => `<h3 id="${id(name)}"><code>${text(name)}</code></h3>${fieldsOf(schema)}`)
    .join("");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(info.title)}: API</title>
<link rel="icon" href="/icon.svg"><style>${style}</style></head>
<body>
<nav><a href="/">← ${text(info.title)}</a></nav>
<main>
<h1>API <span class="dim">${text(info.version)}</span></h1>
<p>${text(info.description)} For programs: <a href="/openapi.json">openapi.json</a>.</p>
${key}
${sections.join("\n")}
<h2>Bodies</h2>
${schemas}
</main>
</body>
</html>
`;
}

function operationText(
  { path, method, operation }: { path: string; method: string; operation: Operation },
  schemas: Description["components"]["schemas"],
): string {
  const { summary, requestBody, responses, parameters = [] } = operation;
  const body = Object.values(requestBody?.content ?? {})[0]?.schema;
  const named = parameters.map(({ name, in: where, description = "", required, schema }) => [
    `<code>${text(name)}</code> <span class="dim">in ${text(where)}${required ? ", needed" : ""}</span>`,
    schema ? kindOf(schema) : "",
    text(description),
  ]);
  const answers = Object.entries(responses).map(([status, { description, content = {} }]) => {
    const kinds = Object.entries(content).map(([type, { schema }]) => `<code>${text(type)}</code> ${kindOf(schema)}`);
    return [`<code>${text(status)}</code>`, text(description), kinds.join("<br>")];
  });
  return `<section>
<h3><span class="method">${text(method)}</span> <code>${text(path)}</code></h3>
<p>${text(summary)}</p>
${named.length > 0 ? table(["Parameter", "Kind", ""], named) : ""}
${body ? `<p>Body: ${kindOf(body)}</p>` : ""}
<pre>${text(exampleOf(path, method, body && resolved(body, schemas)))}</pre>
<details><summary>Answers</summary>${table(["Status", "", "Body"], answers)}</details>
</section>
`;
}

/** A call by curl, with the fields that are needed. */
function exampleOf(path: string, method: string, body: Schema | undefined): string {
  const call = `curl "$SERVER${path}"`;
  if (!body) return method === "get" ? call : `${call} -X ${method.toUpperCase()}`;
  const values: Readonly<Record<string, unknown>> = {
    model: "…",
    prompt: "Once upon a time",
    messages: [{ role: "user", content: "Hello" }],
  };
  const fields = Object.fromEntries((body.required ?? []).map((name) => [name, values[name] ?? "…"]));
  return `${call} -H "content-type: application/json" -d '${JSON.stringify(fields)}'`;
}

function fieldsOf({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, schema]) => [
    `<code>${text(name)}</code>${required.includes(name) ? ' <span class="dim">needed</span>' : ""}`,
    kindOf(schema),
    [
      text(schema.description ?? ""),
      schema.default === undefined ? "" : `<span class="dim">default ${value(schema.default)}</span>`,
    ]
      .filter((part) => part !== "")
      .join("<br>"),
  ]);
  return rows.length > 0 ? table(["Field", "Kind", ""], rows) : "<p>An object of any fields.</p>";
}

/** What may stand in a field, in words. */
function kindOf(schema: Schema): string {
  const name = nameOf(schema);
  if (name !== undefined) return `<a href="#${id(name)}">${text(name)}</a>`;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(kindOf).join(" or ");
  if (schema.const !== undefined) return value(schema.const);
  if (schema.enum) return schema.enum.map(value).join(", ");
  if (schema.type === "array") return `list of ${schema.items ? kindOf(schema.items) : "anything"}${lengths(schema)}`;
  if (schema.properties && Object.keys(schema.properties).length > 0) {
    return `<details><summary>object</summary>${fieldsOf(schema)}</details>`;
  }
  return `${text([schema.type ?? "anything"].flat().join(" or "))}${range(schema)}`;
}

function lengths({ minItems = 0, maxItems }: Schema): string {
  if (maxItems !== undefined) return `, ${minItems} to ${maxItems}`;
  return minItems > 0 ? `, ${minItems} or more` : "";
}

function range({ minimum, exclusiveMinimum, maximum, maxLength }: Schema): string {
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  const least = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const parts = [
    ...(least === undefined ? [] : [`from ${least}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    ...(most === undefined ? [] : [`to ${most}`]),
    ...(maxLength === undefined ? [] : [`of at most ${maxLength} characters`]),
  ];
  return parts.map((part) => ` ${part}`).join("");
}

function resolved(schema: Schema, schemas: Description["components"]["schemas"]): Schema {
  const name = nameOf(schema);
  return (name !== undefined && schemas[name]) || schema;
}

function nameOf({ $ref }: Schema): string | undefined {
  return $ref?.split("/").at(-1);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${row("th", head)}</thead><tbody>${rows.map((cells) => row("td", cells)).join("")}</tbody></table>`;
}

function value(json: unknown): string {
  return `<code>${text(JSON.stringify(json))}</code>`;
}

function id(name: string): string {
  return `body-${name.replace(/[^\w-]/g, "-")}`;
}

/** Text as HTML shows it. */
function text(plain: string): string {
  const escaped: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return plain.replace(/[&<>"]/g, (character) => escaped[character] as string);
}
