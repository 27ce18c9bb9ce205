// What the same memory holds, as a picture: every model's memory is the same rectangle, cut into blocks of the same number
// of tokens. A model that keeps fewer bytes per token has more blocks. The picture is arithmetic and holds at any scale.

import { blockGrid, blockPath } from "./block-grid.ts";
import { textWidth } from "./drawing.ts";
import { type DrawingOptions, fontFamily, isNarrow } from "./drawing-options.ts";
import { escaped } from "./markup.ts";
import { bytesText, integerText } from "./quantity.ts";
import { blocksOf, commonMemory, type MemoryRow } from "./same-memory.ts";

/** The picture; `colors` by model. Rows stand in the order given. */
export function memoryPicture(
  rows: readonly MemoryRow[],
  colors: ReadonlyMap<string, string>,
  drawing: DrawingOptions = {},
): string {
  const { width = 720, transparent = false } = drawing;
  const memory = commonMemory(rows);
  const narrow = isNarrow(drawing); // names and tokens stand above their blocks
  const [top, pitch, height] = narrow ? [50, 80, 44] : [34, 66, 48];
  const left = narrow ? 14 : 24 + Math.max(0, ...rows.map(({ name }) => textWidth(name, 12)));
  const right = narrow ? 14 : 24 + textWidth("1,000,000 tokens", 12);
  const strip = width - left - right;
  const text = (x: number, y: number, content: string, attributes = "") =>
    `<text x="${x}" y="${y}" dy="0.35em" font-size="12" fill="currentColor" ${attributes}>${escaped(content)}</text>`;
  const pieces = rows.map(({ name, kvBytesPerToken }, i) => {
    const tokens = Math.floor(memory / kvBytesPerToken);
    const count = blocksOf(kvBytesPerToken, rows);
    const grid = blockGrid(count, strip, height);
    const y = top + i * pitch;
    return [
      narrow
        ? text(left, y - 12, name, 'font-weight="600"')
        : text(left - 12, y + height / 2, name, 'text-anchor="end" font-weight="600"'),
      `<path transform="translate(${left} ${y})" d="${blockPath(grid, 0, count)}" fill="${colors.get(name) ?? "currentColor"}"/>`,
      narrow
        ? text(left + strip, y - 12, `${integerText(tokens)} tokens`, 'text-anchor="end" font-weight="600"')
        : text(left + strip + 12, y + height / 2, `${integerText(tokens)} tokens`, 'font-weight="600"'),
    ].join("");
  });
  const total = top + pitch * rows.length - (narrow ? 28 : 0);
  const label = `What ${bytesText(memory)} of cache hold: ${rows.map(({ name, kvBytesPerToken }) => `${name} ${integerText(Math.floor(memory / kvBytesPerToken))} tokens`).join(", ")}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" role="img"`,
    ` aria-label="${escaped(label)}" font-family="${fontFamily}" style="display:block;max-width:100%;height:auto"`,
    `${transparent ? "" : ' color="#1f2328"'}>`,
    transparent ? "" : '<rect width="100%" height="100%" fill="#ffffff" rx="6"/>',
    text(
      left,
      14,
      `${bytesText(memory)} of cache in each row${narrow ? "" : ", every block of as many tokens"}`,
      'fill-opacity="0.75"',
    ),
    ...pieces,
    "</svg>",
  ].join("");
}
