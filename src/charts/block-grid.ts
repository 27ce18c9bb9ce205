// Blocks as a grid that fills a rectangle: the same area for the same bytes, however many blocks they make. Pixels; knows
// no cache.

/** Columns and rows of a grid, and the pixels of its cells. */
export interface BlockGrid {
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** The grid of at least `count` cells in a rectangle: near to squares, and with few cells to spare. */
export function blockGrid(count: number, width: number, height: number): BlockGrid {
  const cells = Math.max(1, count);
  const squares = Math.sqrt((cells * height) / width); // rows of squares
  const grids = [-1, 0, 1, 2].map((more) => {
    const rows = Math.min(Math.max(1, Math.floor(squares) + more), cells);
    const columns = Math.ceil(cells / rows);
    const [cellWidth, cellHeight] = [width / columns, height / rows];
    const cost = (columns * rows) / cells + 0.2 * Math.abs(Math.log(cellWidth / cellHeight));
    return { columns, rows, cellWidth, cellHeight, cost };
  });
  const { cost: _, ...best } = grids.reduce((a, b) => (b.cost < a.cost ? b : a));
  return best;
}

/** Cells `from` to `to` (the end left out) as an SVG path, row by row, with a gap that leaves each a block of its own. */
export function blockPath({ columns, cellWidth, cellHeight }: BlockGrid, from: number, to: number): string {
  const gap = Math.min(2, cellWidth * 0.18, cellHeight * 0.18);
  const [width, height] = [hundredths(cellWidth - gap), hundredths(cellHeight - gap)];
  const path: string[] = [];
  for (let cell = from; cell < to; cell++) {
    const x = hundredths((cell % columns) * cellWidth + gap / 2);
    const y = hundredths(Math.floor(cell / columns) * cellHeight + gap / 2);
    path.push(`M${x} ${y}h${width}v${height}h${-width}z`);
  }
  return path.join("");
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
