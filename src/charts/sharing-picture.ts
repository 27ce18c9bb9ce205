// A sharing as a picture: which layers keep keys and values, and which read those of another. For the terminal in
// characters, for a page as SVG. Derived from the sharing array alone.

import { group, owners, type Sharing } from "../model/sharing.ts";
import { borrowPath } from "./borrow-path.ts";
import { type DrawingOptions, fontFamily, isNarrow, paper } from "./drawing-options.ts";
import { escaped } from "./markup.ts";
import { slotColor } from "./palette.ts";
import { caption } from "./sharing-caption.ts";

/**
 * Columns are layers: ■ owns a slot of the cache (its number is below), ┴ and ╯ read the slot of the ■ their line
 * starts at. Groups that interleave get lines of their own. Wraps at `width` columns (default 72).
 */
export function sharingPicture(sharing: Sharing, { width = 72 }: { width?: number } = {}): string {
  const pitch = Math.max(3, String(sharing.length - 1).length + 2);
  const lanes = laneOf(sharing);
  const slots = owners(sharing);
  const cell = (text: string, fill = " ") => text.padEnd(pitch, fill);
  const rows = [
    { head: "layer", cells: sharing.map((_, layer) => cell(String(layer))) },
    ...Array.from({ length: Math.max(...lanes) + 1 }, (_, lane) => ({
      head: "",
      cells: sharing.map((_, layer) => laneCell(sharing, lanes, lane, layer, cell)),
    })),
    { head: "slot", cells: sharing.map((owner, layer) => cell(owner === layer ? String(slots.indexOf(layer)) : "")) },
  ];
  const margin = 7;
  const columns = Math.max(1, Math.floor((width - margin) / pitch));
  const blocks = Array.from({ length: Math.ceil(sharing.length / columns) }, (_, block) =>
    rows
      .map(({ head, cells }) => head.padEnd(margin) + cells.slice(block * columns, (block + 1) * columns).join(""))
      .map((line) => line.trimEnd())
      .join("\n"),
  );
  return [
    ...blocks,
    `${"".padEnd(margin)}■ keeps keys and values   ╯ reads those of the ■ on its line`,
    "".padEnd(margin) + caption(sharing),
  ].join("\n");
}

/** Layers above, the cache below: arrows write down into a slot and read up from it; dashed slots are saved. */
export function sharingSvg(sharing: Sharing, drawing: DrawingOptions = {}): string {
  const { width = 720, transparent = false } = drawing;
  const [left, right, box] = [64, 16, 34];
  const saved = isNarrow(drawing) ? caption(sharing).split(/(?<=:) /) : [caption(sharing)];
  const [layerY, slotY, height] = [20, 118, 170 + 16 * saved.length];
  const pitch = (width - left - right) / sharing.length;
  const side = Math.min(pitch * 0.8, 64);
  const center = (layer: number) => left + pitch * (layer + 0.5);
  const slots = owners(sharing);
  const size = Math.min(12, Math.max(7, pitch * 0.36));
  const text = (x: number, y: number, content: string, attributes = "") =>
    `<text x="${round(x)}" y="${round(y)}" dy="0.35em" ${attributes}>${escaped(content)}</text>`;
  const rect = (layer: number, y: number, attributes: string) =>
    `<rect x="${round(center(layer) - side / 2)}" y="${y}" width="${round(side)}" height="${box}" rx="5" ${attributes}/>`;

  const pieces = sharing.map((owner, layer) => {
    const color = slotColor(slots.indexOf(owner));
    const from = { x: center(owner), y: slotY };
    const to = { x: center(layer), y: layerY + box };
    const small = `text-anchor="middle" font-size="${round(size)}"`;
    if (owner === layer) {
      return [
        `<line x1="${round(to.x)}" y1="${to.y}" x2="${round(to.x)}" y2="${slotY - 7}" stroke="${color}" stroke-width="3"/>`,
        head(to.x, slotY - 1, 1, color),
        rect(layer, layerY, `fill="${color}"`),
        text(to.x, layerY + box / 2, String(layer), `${small} fill="#ffffff" font-weight="600"`),
        rect(layer, slotY, `fill="${color}"`),
        text(
          to.x,
          slotY + box / 2,
          pitch < 40 ? String(slots.indexOf(layer)) : "K V",
          `${small} fill="#ffffff" font-weight="600"`,
        ),
      ].join("");
    }
    const start = from.x + Math.min(side * 0.3, 14);
    const path = borrowPath({ start, slotTop: slotY, x: to.x, layerBottom: to.y, headRoom: 7 });
    return [
      `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.75"/>`,
      head(to.x, to.y + 1, -1, color),
      rect(layer, layerY, `fill="${paper(drawing)}" stroke="${color}" stroke-width="2"`),
      text(to.x, layerY + box / 2, String(layer), `${small} fill="currentColor"`),
      rect(layer, slotY, 'fill="none" stroke="currentColor" stroke-opacity="0.35" stroke-dasharray="3 3"'),
    ].join("");
  });
  const label = 'font-size="12" fill="currentColor"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"`,
    ` aria-label="${escaped(`Which layer keeps keys and values: ${caption(sharing)}`)}" font-family="${fontFamily}"`,
    ` style="display:block;max-width:100%;height:auto"${transparent ? "" : ' color="#1f2328"'}>`,
    transparent ? "" : '<rect width="100%" height="100%" fill="#ffffff" rx="6"/>',
    text(12, layerY + box / 2, "layers", label),
    text(12, slotY + box / 2, "cache", label),
    ...pieces,
    ...saved.map((line, i) => text(left + pitch / 2 - side / 2, 170 + 16 * i, line, `${label} fill-opacity="0.75"`)),
    "</svg>",
  ].join("");
}

// Groups whose spans meet go to different lanes: the first free lane for each, in the owners' order.
function laneOf(sharing: Sharing): number[] {
  const ends: number[] = []; // by lane, the last layer of its last group
  const lanes = new Array<number>(sharing.length).fill(0);
  for (const owner of owners(sharing)) {
    const members = group(sharing, owner);
    const free = ends.findIndex((end) => end < owner);
    const lane = free === -1 ? ends.length : free;
    ends[lane] = members.at(-1) as number;
    for (const layer of members) lanes[layer] = lane;
  }
  return lanes;
}

function laneCell(
  sharing: Sharing,
  lanes: readonly number[],
  lane: number,
  layer: number,
  cell: (text: string, fill?: string) => string,
): string {
  const running = owners(sharing).find((owner) => {
    const members = group(sharing, owner);
    return lanes[owner] === lane && owner <= layer && layer <= (members.at(-1) as number);
  });
  if (running === undefined) return cell("");
  const more = group(sharing, running).some((member) => member > layer);
  const fill = more ? "─" : " ";
  if (layer === running) return cell("■", fill);
  if (sharing[layer] !== running) return cell("", fill);
  return cell(more ? "┴" : "╯", fill);
}

function head(x: number, y: number, direction: 1 | -1, color: string): string {
  const back = y - 8 * direction;
  return `<path d="M${round(x)},${y} L${round(x - 5)},${back} L${round(x + 5)},${back} Z" fill="${color}"/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
