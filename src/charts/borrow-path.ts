// The curve along which a layer reads another's slot, for the pictures of a sharing in the report and on the page.

/** Where the curve runs, in pixels. */
export interface BorrowSpan {
  /** Where it leaves the slot, and the slot's upper edge. */
  readonly start: number;
  readonly slotTop: number;
  /** The reading layer's middle and lower edge. */
  readonly x: number;
  readonly layerBottom: number;
  /** Room for the arrow's head below the layer. */
  readonly headRoom: number;
}

/** The curve as an SVG path's `d`, in hundredths of a pixel at most. */
export function borrowPath({ start, slotTop, x, layerBottom, headRoom }: BorrowSpan): string {
  const middle = (layerBottom + slotTop) / 2;
  const [from, to] = [rounded(start), rounded(x)];
  return `M${from},${slotTop} C${from},${middle} ${to},${middle + 6} ${to},${layerBottom + headRoom}`;
}

function rounded(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}
