// JSON values as YAML that people read and edit: blocks of keys and lists, texts in quotes where they must be.

/** A value as YAML, `indent` spaces in. Objects and lists that are not empty begin on a line of their own. */
export function yaml(value: unknown, indent = 0): string {
  const space = " ".repeat(indent);
  if (Array.isArray(value)) {
    if (value.length === 0) return `${space}[]\n`;
    return value
      .map((item) => `${space}-${isBlock(item) ? yaml(item, indent + 2).slice(indent + 1) : ` ${scalar(item)}\n`}`)
      .join("");
  }
  const entries = Object.entries(value as object).filter(([, item]) => item !== undefined);
  return entries
    .map(([key, item]) => `${space}${key}:${isBlock(item) ? `\n${yaml(item, indent + 2)}` : ` ${scalar(item)}\n`}`)
    .join("");
}

function isBlock(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

/** Numbers with an exponent need a point to be numbers in YAML 1.1; texts are bare where nothing else could be meant. */
function scalar(value: unknown): string {
  if (typeof value === "number") return String(value).replace(/^(-?\d+)e/, "$1.0e");
  const isBare =
    typeof value === "string" &&
    /^[A-Za-z_][\w./-]*$/.test(value) &&
    !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value);
  return isBare ? value : JSON.stringify(value);
}
