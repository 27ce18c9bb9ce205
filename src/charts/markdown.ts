// Tables in Markdown.

/** Where a column's cells stand. */
export type Align = "left" | "right" | "center";

const rules: Readonly<Record<Align, string>> = { left: "---", right: "--:", center: ":-:" };

/** A table of text; `aligns` has as many as `heads`, and so has every row. Bars in cells are escaped. */
export function markdownOf(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), `|${aligns.map((align) => rules[align]).join("|")}|`, ...rows.map(line)].join("\n");
}
