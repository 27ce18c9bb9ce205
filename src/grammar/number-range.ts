// The JSON numbers between two bounds, as a grammar: digit by digit, as long as they are a bound's own digits. Numbers
// have at most 15 digits, so no two of them are the same double and a bound holds after parsing too. Knows no schemas.

/** Where numbers lie. */
export interface NumberRange {
  readonly low?: number;
  readonly high?: number;
  /** `low` is not among them. */
  readonly above?: boolean;
  /** `high` is not among them. */
  readonly below?: boolean;
  /** Whole numbers only. */
  readonly whole: boolean;
}

/** The most digits of a number. */
const mostDigits = 15;

/** A bound's digits: `whole` and then `part` after the point, none of it superfluous. */
interface Bound {
  readonly whole: string;
  readonly part: string;
  /** The bound itself is out. */
  readonly open: boolean;
}

/** The bounds whose digits a number has had so far. */
interface Tight {
  readonly low?: Bound;
  readonly high?: Bound;
}

/** An expression in xgrammar's EBNF for the numbers of `range`; undefined if it has none. */
export function numberRange(range: NumberRange): string | undefined {
  const { low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY, above = false, below = false } = range;
  if (low > high) return undefined;
  const positive = high >= 0 && magnitudes(Math.max(0, low), high, above && low >= 0, below, range.whole);
  const negative = low < 0 && magnitudes(Math.max(0, -high), -low, high >= 0 || below, above, range.whole);
  return either([positive || undefined, negative ? `"-" ${negative}` : undefined]);
}

/** Numbers without a sign from `low` to `high`. */
function magnitudes(low: number, high: number, above: boolean, below: boolean, whole: boolean): string | undefined {
  const least = boundOf(low, above);
  const most = high < 10 ** mostDigits ? boundOf(high, below) : boundOf(10 ** mostDigits, true);
  const lengths: (string | undefined)[] = [];
  for (let length = least.whole.length; length <= Math.min(most.whole.length, mostDigits); length++) {
    const tight = {
      ...(length === least.whole.length && { low: least }),
      ...(length === most.whole.length && { high: most }),
    };
    lengths.push(wholeDigits(tight, 0, length, whole ? 0 : mostDigits - length));
  }
  return either(lengths);
}

/** The digits from the `place`th of `length` before the point, and up to `room` after it. */
function wholeDigits(tight: Tight, place: number, length: number, room: number): string | undefined {
  if (place === length)
    return either([end(tight, 0), room > 0 ? sequence(`"."`, partDigits(tight, 0, room)) : undefined]);
  if (!tight.low && !tight.high && place > 0) {
    return sequence(`[0-9]{${length - place}}`, room > 0 ? `("." [0-9]{1,${room}})?` : `""`);
  }
  const first = place === 0 && length > 1 ? 1 : 0;
  const digit = (bound: Bound | undefined) => (bound ? Number(bound.whole[place]) : undefined);
  return step(tight, digit(tight.low), digit(tight.high), first, (next) => wholeDigits(next, place + 1, length, room));
}

/** One digit or more from the `place`th after the point on, of `room`. */
function partDigits(tight: Tight, place: number, room: number): string | undefined {
  if (place === room) return undefined;
  if (!tight.low && !tight.high) return `[0-9]{1,${room - place}}`;
  if (tight.high && place >= tight.high.part.length) return undefined; // only zeros could follow
  if (tight.low && !tight.low.open && place >= tight.low.part.length) {
    return partDigits({ ...tight, low: undefined }, place, room); // reached: whatever follows is not less
  }
  const digit = (bound: Bound | undefined) => (bound ? Number(bound.part[place] ?? 0) : undefined);
  return step(tight, digit(tight.low), digit(tight.high), 0, (next) =>
    either([end(next, place + 1), partDigits(next, place + 1, room)]),
  );
}

/** A digit from `first` on and what follows it: the bounds' own digits stay tight, those between are free of them. */
function step(
  tight: Tight,
  low: number | undefined,
  high: number | undefined,
  first: number,
  follow: (tight: Tight) => string | undefined,
): string | undefined {
  if (low !== undefined && low === high) return low < first ? undefined : sequence(`"${low}"`, follow(tight));
  const from = Math.max(first, low === undefined ? 0 : low + 1);
  const to = high === undefined ? 9 : high - 1;
  return either([
    low !== undefined && low >= first ? sequence(`"${low}"`, follow({ low: tight.low })) : undefined,
    from <= to ? sequence(`[${from}-${to}]`, follow({})) : undefined,
    high !== undefined && high >= first ? sequence(`"${high}"`, follow({ high: tight.high })) : undefined,
  ]);
}

/** Nothing, where a number may end with `place` digits after the point. */
function end({ low, high }: Tight, place: number): string | undefined {
  const reached = !low || (place >= low.part.length && !low.open);
  const kept = !high || place < high.part.length || !high.open;
  return reached && kept ? `""` : undefined;
}

function boundOf(magnitude: number, open: boolean): Bound {
  const [digits = "", exponent = "0"] = String(magnitude).split("e");
  const [whole = "", part = ""] = digits.split(".");
  const shift = Number(exponent);
  const all = shift < 0 ? "0".repeat(-shift) + whole + part : whole + part.padEnd(shift, "0");
  const point = shift < 0 ? whole.length : whole.length + shift;
  const trimmed = all.slice(0, point).replace(/^0+(?=\d)/, "");
  return { whole: trimmed, part: all.slice(point).replace(/0+$/, ""), open };
}

function sequence(...items: (string | undefined)[]): string | undefined {
  return items.includes(undefined) ? undefined : items.filter((item) => item !== `""`).join(" ");
}

function either(choices: readonly (string | undefined)[]): string | undefined {
  const possible = choices.filter((choice) => choice !== undefined);
  return possible.length > 1 ? `(${possible.join(" | ")})` : possible[0];
}
