import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NumberRange, numberRange } from "../../src/grammar/number-range.ts";
import { compiler, takes } from "./bytewise.ts";

/** The grammar as a regular expression: these grammars have only literals, classes, choices and repetitions. */
function pattern(range: NumberRange): RegExp | undefined {
  const ebnf = numberRange(range);
  const literals = ebnf?.replace(/"([^"]*)"/g, (_, text: string) => text.replace(".", "\\.") || "(?:)");
  return literals === undefined ? undefined : new RegExp(`^(?:${literals.replaceAll(" ", "")})$`);
}

function within(x: number, { low, high, above, below, whole }: NumberRange): boolean {
  if (whole && !Number.isInteger(x)) return false;
  if (low !== undefined && (above ? x <= low : x < low)) return false;
  return high === undefined || (below ? x < high : x <= high);
}

const decimal = fc
  .tuple(fc.integer({ min: -2_000, max: 2_000 }), fc.constantFrom(1, 10, 100, 1000))
  .map(([x, unit]) => x / unit);
const ranges = fc.record({
  low: fc.option(decimal, { nil: undefined }),
  high: fc.option(decimal, { nil: undefined }),
  above: fc.boolean(),
  below: fc.boolean(),
  whole: fc.boolean(),
});

describe("numberRange", () => {
  it("has exactly the numbers between its bounds, for any bounds", () => {
    fc.assert(
      fc.property(ranges, fc.array(decimal, { minLength: 20, maxLength: 20 }), (range, others) => {
        const found = pattern(range);
        const { low = 0, high = 0 } = range;
        const near = [low, high].flatMap((bound) => [-1, -0.1, -0.001, 0, 0.001, 0.1, 1].map((by) => bound + by));
        for (const x of [...near, ...others]) {
          const text = Number(x.toFixed(4)).toString();
          if (text === "-0") continue;
          expect(found?.test(text) ?? false, `${text} of ${found}`).toBe(within(Number(text), range));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("has no number that is no JSON, or rounds out of its bounds", () => {
    for (const whole of [false, true]) {
      const found = pattern({ low: -12.5, high: 1000, whole }) as RegExp;
      for (const text of ["", "-", "-0", "00", "01", "-012", "1.", ".5", "+1", "1e2", "0x1"])
        expect(text).not.toMatch(found);
    }
    const small = pattern({ low: 0.1, above: true, high: 1, whole: false }) as RegExp;
    expect("0.100000000000001").not.toMatch(small); // 16 digits
    expect("0.10000000000001").toMatch(small);
    expect("100000000000000.0000001").not.toMatch(pattern({ low: 1e14, above: true, whole: false }) as RegExp);
  });

  it("knows bounds of any size", () => {
    expect("999999999999999").toMatch(pattern({ high: 2 ** 53 - 1, low: 1 - 2 ** 53, whole: true }) as RegExp);
    expect("0.0000002").toMatch(pattern({ low: 1.5e-7, high: 1, whole: false }) as RegExp);
    expect("0.0000001").not.toMatch(pattern({ low: 1.5e-7, high: 1, whole: false }) as RegExp);
    expect(numberRange({ low: 1e15, whole: true })).toBeUndefined();
    expect(numberRange({ low: 0.2, high: 0.8, whole: true })).toBeUndefined();
    expect(numberRange({ low: 2, high: 1, whole: false })).toBeUndefined();
    expect(numberRange({ low: 1, high: 1, above: true, whole: false })).toBeUndefined();
  });

  it("is a grammar", async () => {
    const grammar = `root ::= ${numberRange({ low: -3.25, high: 120, below: true, whole: false })}`;
    for (const [text, right] of Object.entries({
      "-3.25": true,
      "-3.3": false,
      "119.99": true,
      "120": false,
      "0": true,
    })) {
      expect(takes(await compiler.grammar(grammar), text), text).toBe(right);
    }
  });
});
