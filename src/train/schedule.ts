// The learning rate of every step: linear warm-up, then a cosine down to a fraction of the peak (paper §5.1).

/** A run's schedule. Fractions are of the peak learning rate and of the steps. */
export interface Schedule {
  readonly peak: number;
  readonly steps: number;
  /** Fraction of the steps that warm up; the paper's 0.05. */
  readonly warmup: number;
  /** The last step's learning rate as a fraction of the peak; the paper's 0.1. */
  readonly floor: number;
}

/** The learning rate of step `step`, from 0 to `steps` − 1. */
export function learningRate({ peak, steps, warmup, floor }: Schedule, step: number): number {
  const rising = Math.max(1, Math.round(warmup * steps));
  if (step < rising) return (peak * (step + 1)) / rising;
  const progress = Math.min(1, (step - rising) / Math.max(1, steps - 1 - rising));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
