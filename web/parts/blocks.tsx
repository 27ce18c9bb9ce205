// Blocks of a cache in a rectangle: the same area for the same bytes, in every view. A block's place says nothing, its fill
// is its state in the model's colour.

import { blockGrid, blockPath } from "../../src/charts/block-grid.ts";

/** Blocks by state, in the order they are drawn in. */
export interface BlockCounts {
  /** Used by several sequences. */
  readonly shared: number;
  /** Used by one. */
  readonly used: number;
  /** Kept for the next that begins alike. */
  readonly cached: number;
  readonly free: number;
}

/** States in the order they are drawn in. */
export const blockStates = ["shared", "used", "cached", "free"] as const;

/** Most cells that are drawn of a cache; beyond it a cell stands for several blocks. */
const mostCells = 2400;

/** Blocks that a cell stands for where the cache of the most blocks has `most`, so that no more than `cells` are drawn. */
export function blocksPerCell(most: number, cells = mostCells): number {
  return Math.max(1, Math.ceil(most / cells));
}

/** The blocks in `width` × `height` pixels (the width scales with its place), `perCell` of them a cell. */
export function Blocks(props: {
  counts: BlockCounts;
  color: string;
  label: string;
  width: number;
  height: number;
  perCell?: number;
}) {
  const { counts, color, label, width, height, perCell = 1 } = props;
  const total = blockStates.reduce((sum, state) => sum + counts[state], 0);
  const cells = Math.max(1, Math.round(total / perCell));
  const grid = blockGrid(cells, width, height);
  let blocks = 0;
  return (
    <svg
      class="blocks"
      role="img"
      aria-label={label}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      data-cells={cells}
      style={{ height: `${height}px`, color }}
    >
      {blockStates.map((state) => {
        const from = Math.round(blocks / perCell);
        blocks += counts[state];
        const to = state === "free" ? cells : Math.round(blocks / perCell);
        return <path key={state} class={`block ${state}`} d={blockPath(grid, from, Math.min(cells, to))} />;
      })}
    </svg>
  );
}
