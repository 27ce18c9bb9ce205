// The angles of rotary embedding by each kind of scaling, against the formulas' own words: what is slowed, and how far.

import { describe, expect, it } from "vitest";
import { modelConfig, withContext } from "../../src/model/config.ts";
import { type RopeScaling, rotaryTables } from "../../src/model/rotary.ts";

const [headDim, ropeTheta, context] = [16, 10000, 128];
const plain = Array.from({ length: 8 }, (_, pair) => ropeTheta ** (-pair / 8));

/** Radians per position of each pair, and the factor on cos and sin. */
function turning(ropeScaling?: RopeScaling, more: { ropeDim?: number; context?: number } = {}) {
  const { cos, sin } = rotaryTables({ headDim, ropeTheta, context, ropeScaling, ...more }, 2);
  const [c, s] = [cos.data.subarray(8), sin.data.subarray(8)];
  return {
    radians: Array.from(c, (x, i) => Math.atan2(s[i] as number, x)),
    amplitudes: Array.from(c, (x, i) => Math.hypot(x, s[i] as number)),
  };
}

const close = (found: readonly number[], expected: readonly number[]) =>
  expected.forEach((x, i) => {
    expect((found[i] as number) / x).toBeCloseTo(1, 5);
  });

const factors = [1, 2, 3, 4, 5, 6, 7, 8];

describe("rotary embedding", () => {
  it("turns as trained, or slower by a factor", () => {
    close(turning().radians, plain);
    close(
      turning({ type: "linear", factor: 4 }).radians,
      plain.map((x) => x / 4),
    );
  });

  it("by llama3 leaves short waves, slows long ones, and lies between for others", () => {
    const scaling = { type: "llama3", factor: 8, originalContext: 128, lowFrequency: 1, highFrequency: 4 } as const;
    const { radians } = turning(scaling);
    for (const [i, x] of plain.entries()) {
      const waves = (128 * x) / (2 * Math.PI);
      const ratio = (radians[i] as number) / x;
      if (waves > 4) expect(ratio).toBeCloseTo(1, 5);
      else if (waves < 1) expect(ratio).toBeCloseTo(1 / 8, 5);
      else expect(ratio > 1 / 8 && ratio < 1).toBe(true);
    }
  });

  it("by yarn leaves the first pairs, slows the last, and has an amplitude", () => {
    const yarn = { type: "yarn", factor: 4, originalContext: 128, fastTurns: 32, slowTurns: 1 } as const;
    const { radians, amplitudes } = turning({ ...yarn, wholePairs: true, amplitude: 1.14 });
    expect((radians[0] as number) / (plain[0] as number)).toBeCloseTo(1, 5);
    expect((radians[7] as number) / (plain[7] as number)).toBeCloseTo(1 / 4, 5);
    for (const x of amplitudes) expect(x).toBeCloseTo(1.14, 5);
  });

  it("dynamically is plain in the original context, and slows with the context beyond", () => {
    const dynamic = { type: "dynamic", factor: 2, originalContext: 128 } as const;
    close(turning(dynamic).radians, plain);
    const stretched = ropeTheta * 3 ** (16 / 14); // 2 · 256 / 128 − 1
    close(
      turning(dynamic, { context: 256 }).radians,
      plain.map((_, pair) => stretched ** (-pair / 8)),
    );
    const model = modelConfig({
      ...{ layers: 1, width: 16, heads: 1, headDim, mlpWidth: 8, vocab: 9 },
      context,
      ropeScaling: dynamic,
    });
    expect(withContext(model, 256)).toMatchObject({ context: 256, ropeScaling: dynamic });
  });

  it("by longrope has a factor for each pair, by the context", () => {
    const longrope = {
      type: "longrope",
      originalContext: 128,
      shortFactors: factors.map(() => 1),
      longFactors: factors,
      amplitude: 1,
    } as const;
    close(turning(longrope).radians, plain);
    close(
      turning(longrope, { context: 129 }).radians,
      plain.map((x, i) => x / (factors[i] as number)),
    );
  });

  it("leaves what does not turn", () => {
    const { radians, amplitudes } = turning({ type: "linear", factor: 2 }, { ropeDim: 4 });
    close(radians.slice(0, 2), [1 / 2, ropeTheta ** (-1 / 2) / 2]);
    expect(radians.slice(2)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(amplitudes.slice(2)).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

describe("a config is refused", () => {
  const sizes = { layers: 4, width: 16, heads: 1, headDim, mlpWidth: 8, vocab: 9, context };
  it.each([
    [{ ropeDim: 3 }, /ropeDim must be even and at most headDim 16, found 3/],
    [{ ropeDim: 18 }, /ropeDim must be even and at most headDim 16, found 18/],
    [{ noRope: [4] }, /noRope names layer 4; layers are 0 to 3/],
    [
      { noRope: [1], sharing: [0, 0, 2, 2] },
      /layer 1 borrows from 0, and rotary embedding is left out \(noRope\) in one of them/,
    ],
    [
      { ropeScaling: { type: "longrope", originalContext: 8, shortFactors: [1], longFactors: factors, amplitude: 1 } },
      /shortFactors needs a factor for each of 8 pairs, found 1/,
    ],
  ] as const)("for %j", (more, message) => {
    expect(() => modelConfig({ ...sizes, ...(more as object) })).toThrow(message);
  });

  it("for a longer context where it has a scaling of its own", () => {
    const llama3 = { type: "llama3", factor: 8, originalContext: 32, lowFrequency: 1, highFrequency: 4 } as const;
    const model = modelConfig({ ...sizes, ropeScaling: llama3 });
    expect(() => withContext(model, 256, "ntk")).toThrow(/has ropeScaling "llama3" for 128 and takes no other/);
  });
});
