// Where labels go so that they cover neither one another nor what they name. Pixels in, pixels out; knows no chart.

/** A rectangle: `x`, `y` is its upper left corner. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point, and the size of the text that names it. */
export interface Labelled {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What labels keep off: `hard` whatever it costs, `soft` if there is another place nearby. */
export interface Surroundings {
  readonly frame: Box;
  readonly hard?: readonly Box[];
  readonly soft?: readonly Box[];
}

const distances = [7, 12, 18, 26, 36, 48, 62, 78, 96, 120, 150];
const directions = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [1, 1],
  [-1, -1],
  [-1, 1],
] as const;

/** A box for each label inside `frame`, near its point; labels overlap only where the frame has no room left. */
export function placeLabels(points: readonly Labelled[], { frame, hard = [], soft = [] }: Surroundings): Box[] {
  const taken = [...hard, ...points.map(({ x, y }) => ({ x: x - 5, y: y - 5, width: 10, height: 10 }))];
  return points.map((point) => {
    const candidates = distances.flatMap((distance, far) =>
      directions.map(([dx, dy], turn) => ({ box: boxAt(point, dx, dy, distance), cost: far * 24 + turn * 2 })),
    );
    const inside = candidates.filter(({ box }) => contains(frame, box));
    let best: { box: Box; cost: number } | undefined;
    for (const { box, cost } of inside.length > 0 ? inside : candidates) {
      const total = cost + 1e4 * covered(box, taken) + 0.8 * covered(box, soft);
      if (!best || total < best.cost) best = { box, cost: total };
    }
    const { box } = best as { box: Box };
    taken.push(box);
    return box;
  });
}

/**
 * Moves `places` on a line apart to at least `gap`, in their order and as little as one pass can, within
 * `[low, high]` if there is room.
 */
export function spread(places: readonly number[], gap: number, low: number, high: number): number[] {
  const order = places.map((_, i) => i).sort((a, b) => (places[a] as number) - (places[b] as number));
  const moved = [...places];
  let next = low;
  for (const i of order) {
    moved[i] = Math.max(moved[i] as number, next);
    next = (moved[i] as number) + gap;
  }
  let last = Math.max(high, low + gap * (places.length - 1));
  for (const i of order.reverse()) {
    moved[i] = Math.min(moved[i] as number, last);
    last = (moved[i] as number) - gap;
  }
  return moved;
}

/** Square pixels that two boxes share. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/** The boxes along a line, for labels to keep off it. */
export function boxesAlong(line: readonly { readonly x: number; readonly y: number }[]): Box[] {
  return line.slice(1).map((to, i) => {
    const from = line[i] as { x: number; y: number };
    const [x, y] = [Math.min(from.x, to.x) - 1.5, Math.min(from.y, to.y) - 1.5];
    return { x, y, width: Math.abs(to.x - from.x) + 3, height: Math.abs(to.y - from.y) + 3 };
  });
}

function boxAt({ x, y, width, height }: Labelled, dx: number, dy: number, distance: number): Box {
  const reach = dx !== 0 && dy !== 0 ? distance * 0.7 : distance;
  return {
    x: x + dx * reach - (dx === 0 ? width / 2 : dx < 0 ? width : 0),
    y: y + dy * reach - (dy === 0 ? height / 2 : dy < 0 ? height : 0),
    width,
    height,
  };
}

function contains(frame: Box, box: Box): boolean {
  return (
    box.x >= frame.x &&
    box.y >= frame.y &&
    box.x + box.width <= frame.x + frame.width &&
    box.y + box.height <= frame.y + frame.height
  );
}

function covered(box: Box, others: readonly Box[]): number {
  return others.reduce((sum, other) => sum + overlap(box, other), 0);
}
