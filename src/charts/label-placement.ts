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
  /** Pixels around each point that its mark takes: 6 if not given. */
  readonly radius?: number;
}

/** Pixels between a mark and its label, as they are tried. */
const clearances = [4, 9, 15, 22, 31, 42, 56, 72, 90, 114, 144];
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
const passes = 4;

/**
 * A box for each label inside `frame`, near its point and nearer to it than to others. Labels overlap only where the
 * frame has no room left. Each is placed in turn and, a few times, again in sight of all others.
 */
export function placeLabels(
  points: readonly Labelled[],
  { frame, hard = [], soft = [], radius = 6 }: Surroundings,
): Box[] {
  const side = 2 * radius;
  const marks = points.map(({ x, y }) => ({ x: x - radius, y: y - radius, width: side, height: side }));
  const choices = points.map((point) => {
    const all = clearances.flatMap((clearance, far) =>
      directions.map(([dx, dy], turn) => ({
        box: boxAt(point, dx, dy, radius + clearance),
        cost: far * 20 + turn * 2,
      })),
    );
    const inside = all.filter(({ box }) => contains(frame, box));
    return (inside.length > 0 ? inside : all).map(({ box, cost }) => {
      const near = distance(point, box);
      const mistaken = points.reduce(
        (sum, other) => (other === point ? sum : sum + Math.max(0, near + 10 - distance(other, box))),
        0,
      );
      const fixed = 1e4 * (covered(box, hard) + covered(box, marks)) + 0.5 * covered(box, soft);
      return { box, cost: cost + fixed + 5 * mistaken };
    });
  });
  const placed: (Box | undefined)[] = points.map(() => undefined);
  for (let pass = 0; pass < passes; pass++) {
    for (const [i, candidates] of choices.entries()) {
      const others = placed.filter((box, j): box is Box => box !== undefined && j !== i);
      let best: { box: Box; cost: number } | undefined;
      for (const { box, cost } of candidates) {
        const total = cost + 1e4 * covered(box, others);
        if (!best || total < best.cost) best = { box, cost: total };
      }
      placed[i] = best?.box;
    }
  }
  return placed as Box[];
}

/**
 * Moves `places` on a line apart to at least `gap`, in their order and as little as can be (least squares), within
 * `[low, high]` if there is room.
 */
export function spread(places: readonly number[], gap: number, low: number, high: number): number[] {
  const order = places.map((_, i) => i).sort((a, b) => (places[a] as number) - (places[b] as number));
  // With i·gap taken off, being apart means not to fall: runs that do fall are pooled at their mean.
  const pools: { sum: number; count: number }[] = [];
  for (const [rank, i] of order.entries()) {
    let pool = { sum: (places[i] as number) - rank * gap, count: 1 };
    for (let last = pools.at(-1); last && last.sum / last.count > pool.sum / pool.count; last = pools.at(-1)) {
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count };
      pools.pop();
    }
    pools.push(pool);
  }
  const most = Math.max(low, high - gap * (places.length - 1));
  const levels = pools.flatMap(({ sum, count }) =>
    new Array<number>(count).fill(Math.min(Math.max(sum / count, low), most)),
  );
  const moved = new Array<number>(places.length);
  for (const [rank, i] of order.entries()) moved[i] = (levels[rank] as number) + rank * gap;
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

/** Pixels from a point to the nearest of a box. */
export function distance({ x, y }: { readonly x: number; readonly y: number }, box: Box): number {
  const dx = Math.max(box.x - x, 0, x - box.x - box.width);
  const dy = Math.max(box.y - y, 0, y - box.y - box.height);
  return Math.hypot(dx, dy);
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
