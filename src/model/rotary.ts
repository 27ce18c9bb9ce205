// The angles of rotary position embedding as tables; the rotation itself is a graph operation.

import { z } from "zod";
import type { Tensor } from "../tensor/tensor.ts";

/** What the angles depend on. */
export interface RopeSizes {
  readonly headDim: number;
  /** Dimensions of a head that turn, in pairs; all if absent. Pair i is dimensions i and i + headDim / 2. */
  readonly ropeDim?: number | undefined;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling | undefined;
  /** The longest text, in tokens. */
  readonly context: number;
}

/** How pairs turn. */
interface Turning {
  /** A pair's radians per position. `pair` counts from 0, to half of the dimensions that turn. */
  frequency(pair: number): number;
  /** The theta by which pairs turn as if nothing was scaled, if there is one. */
  readonly theta?: number;
  /** A factor on cos and sin. */
  readonly amplitude?: number;
}

/** theta^(−2i/D), over the dimensions that turn. */
const plainFrequency = (dim: number, theta: number) => (pair: number) => theta ** (-pair / (dim / 2));

/** NTK-aware: theta so much larger that the slowest pair turns `stretch` times as slowly, and the fastest as before. */
function thetaStretched(dim: number, theta: number, stretch: number): Turning {
  const stretched = theta * stretch ** (dim / (dim - 2));
  return { frequency: plainFrequency(dim, stretched), theta: stretched };
}

const factor = z.number().min(1);
const originalContext = z.int().min(1);
const pairFactors = z.array(z.number().positive()).readonly();

/**
 * How positions beyond those of training are brought into their range, a schema a kind. "linear" divides positions by the
 * factor (arXiv 2306.15595); "ntk" slows the slow pairs by it and leaves the fast ones (theta · factor^(D/(D−2)),
 * "NTK-aware"); "dynamic" does so as far as the context is beyond the original one; "llama3" slows pairs whose waves are
 * long in the original context by the factor; "yarn" slows them by a ramp and sharpens attention (arXiv 2309.00071);
 * "longrope" slows each pair by a factor of its own, by one list in the original context and another beyond (arXiv 2402.13753).
 */
export const ropeScalingSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("linear"), factor }),
  z.strictObject({ type: z.literal("ntk"), factor }),
  z.strictObject({ type: z.literal("dynamic"), factor, originalContext }),
  z.strictObject({
    ...{ type: z.literal("llama3"), factor, originalContext },
    /** Waves longer than the original context over the first are slowed, those shorter than it over the second are not. */
    ...{ lowFrequency: z.number().positive(), highFrequency: z.number().positive() },
  }),
  z.strictObject({
    ...{ type: z.literal("yarn"), factor, originalContext },
    /** Turns in the original context: pairs with more than the first are left, those with fewer than the second slowed. */
    ...{ fastTurns: z.number().positive(), slowTurns: z.number().positive() },
    /** Whether the ramp's ends are whole pairs. */
    wholePairs: z.boolean(),
    /** On cos and sin. */
    amplitude: z.number().positive(),
  }),
  z.strictObject({
    ...{ type: z.literal("longrope"), originalContext },
    ...{ shortFactors: pairFactors, longFactors: pairFactors },
    amplitude: z.number().positive(),
  }),
]);

/** A kind with its numbers. */
export type RopeScaling = Readonly<z.output<typeof ropeScalingSchema>>;

type Kinds = { readonly [Type in RopeScaling["type"]]: Kind<Extract<RopeScaling, { type: Type }>> };
type Kind<Scaling> = (
  scaling: Scaling,
  sizes: { readonly dim: number; readonly theta: number; readonly context: number },
) => Turning;

const ropeKinds: Kinds = {
  linear: ({ factor }, { dim, theta }) => ({ frequency: (pair) => plainFrequency(dim, theta)(pair) / factor }),
  ntk: ({ factor }, { dim, theta }) => thetaStretched(dim, theta, factor),
  dynamic: ({ factor, originalContext }, { dim, theta, context }) =>
    thetaStretched(dim, theta, (factor * Math.max(context, originalContext)) / originalContext - (factor - 1)),
  llama3: ({ factor, lowFrequency, highFrequency, originalContext }, { dim, theta }) => ({
    frequency: (pair) => {
      const plain = plainFrequency(dim, theta)(pair);
      const waves = (originalContext * plain) / (2 * Math.PI); // in the original context
      const kept = Math.min(1, Math.max(0, (waves - lowFrequency) / (highFrequency - lowFrequency)));
      return kept * plain + ((1 - kept) * plain) / factor;
    },
  }),
  yarn: ({ factor, originalContext, fastTurns, slowTurns, wholePairs, amplitude }, { dim, theta }) => {
    const pairOf = (turns: number) => (dim * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
    const [first, last] = [pairOf(fastTurns), pairOf(slowTurns)];
    const low = Math.max(0, wholePairs ? Math.floor(first) : first);
    const high = Math.min(dim - 1, wholePairs ? Math.ceil(last) : last);
    return {
      amplitude,
      frequency: (pair) => {
        const plain = plainFrequency(dim, theta)(pair);
        const slowed = Math.min(1, Math.max(0, (pair - low) / (high === low ? 0.001 : high - low)));
        return (1 - slowed) * plain + (slowed * plain) / factor;
      },
    };
  },
  longrope: ({ originalContext, shortFactors, longFactors, amplitude }, { dim, theta, context }) => {
    const factors = context > originalContext ? longFactors : shortFactors;
    return { amplitude, frequency: (pair) => plainFrequency(dim, theta)(pair) / (factors[pair] as number) };
  },
};

/** How any context can be made longer than that of training, by a factor alone. */
export const ropeScalings = ["linear", "ntk"] as const;
export type RopeScalingKind = (typeof ropeScalings)[number];

function turningOf({ headDim, ropeDim: dim = headDim, ropeTheta: theta, ropeScaling, context }: RopeSizes): Turning {
  if (!ropeScaling) return { frequency: plainFrequency(dim, theta), theta };
  const kind = ropeKinds[ropeScaling.type] as Kind<RopeScaling>;
  return kind(ropeScaling, { dim, theta, context });
}

/** Radians per position of the pairs that turn, a factor on cos and sin, and the theta that alone says the same, if any. */
export function rotaryTurns(sizes: RopeSizes): { frequencies: number[]; amplitude: number; theta: number | undefined } {
  const { ropeDim = sizes.headDim } = sizes;
  const turning = turningOf(sizes);
  const frequencies = Array.from({ length: ropeDim / 2 }, (_, pair) => turning.frequency(pair));
  return { frequencies, amplitude: turning.amplitude ?? 1, theta: turning.theta };
}

/**
 * cos and sin of position · frequency (theta^(−2i/D) as trained), each `[positions, D/2]`, computed in float64 (arXiv
 * 2104.09864 §3.2). Pairs that do not turn have cos 1 and sin 0.
 */
export function rotaryTables(sizes: RopeSizes, positions: number): { cos: Tensor<"float32">; sin: Tensor<"float32"> } {
  const half = sizes.headDim / 2;
  const cos = new Float32Array(positions * half).fill(1);
  const sin = new Float32Array(positions * half);
  const { frequencies, amplitude } = rotaryTurns(sizes);
  for (const [i, radians] of frequencies.entries()) {
    for (let position = 0; position < positions; position++) {
      cos[position * half + i] = amplitude * Math.cos(position * radians);
      sin[position * half + i] = amplitude * Math.sin(position * radians);
    }
  }
  const shape = [positions, half];
  return { cos: { dtype: "float32", shape, data: cos }, sin: { dtype: "float32", shape, data: sin } };
}
