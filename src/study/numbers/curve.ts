// Loss curves, thinned for keeping: neighbouring steps become one point, which smooths the training loss as well.

import { mean } from "../../tensor/estimate.ts";
import type { CurvePoint } from "./result.ts";

/**
 * At most `points` points for a curve of any length. A point's loss is the mean of the steps it stands for, its step
 * the last of them, its validation loss the last that was taken among them.
 */
export function thinCurve(curve: readonly CurvePoint[], points = 200): CurvePoint[] {
  const size = Math.max(1, Math.ceil(curve.length / points));
  return Array.from({ length: Math.ceil(curve.length / size) }, (_, i) => {
    const part = curve.slice(i * size, (i + 1) * size);
    const validation = part.findLast((point) => point.validation !== undefined)?.validation;
    const thinned = { step: (part.at(-1) as CurvePoint).step, loss: mean(part.map(({ loss }) => loss)) };
    return validation === undefined ? thinned : { ...thinned, validation };
  });
}
