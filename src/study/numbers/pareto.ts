// The best trade-offs between a cache's size and a model's loss.

/** A model's place: smaller is better in both. */
export interface TradeOff {
  readonly bytes: number;
  readonly loss: number;
}

/** A front as the corners of a staircase: what was best at a size is so until the next larger one. */
export function staircase(front: readonly TradeOff[]): TradeOff[] {
  return front.flatMap((point, i) => {
    const before = front[i - 1];
    return before ? [{ bytes: point.bytes, loss: before.loss }, point] : [point];
  });
}

/**
 * The points that no other beats (at most as large in both and smaller in one), by bytes ascending. Equal points are
 * both kept; points that are not finite are beaten by all.
 */
export function paretoFront<P extends TradeOff>(points: readonly P[]): P[] {
  const finite = points.filter(({ bytes, loss }) => Number.isFinite(bytes) && Number.isFinite(loss));
  const sorted = finite.sort((a, b) => a.bytes - b.bytes || a.loss - b.loss);
  const front: P[] = [];
  for (const point of sorted) {
    const last = front.at(-1);
    const equal = last && last.bytes === point.bytes && last.loss === point.loss;
    if (!last || equal || point.loss < last.loss) front.push(point);
  }
  return front;
}
