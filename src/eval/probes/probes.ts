// What a model makes of its context, which perplexity averages away: loss by position, loss on tokens that continue a pair
// seen before in the window (copying), and finding the value of a key at a distance (retrieval). Knows tokens only.

import { Random } from "../../tensor/random.ts";
import type { Judge } from "../judge.ts";
import type { Judged, Window } from "../scorer.ts";
import { meanLoss, type ProbeFigure, ratio } from "./figures.ts";

/** The probes. */
export const probeNames = ["position", "copying", "retrieval"] as const;

export type ProbeName = (typeof probeNames)[number];

/** Contexts that are probed where nobody says others; those beyond the model's own are left out. */
export const usualContexts: readonly number[] = [512, 2048, 8192];

/** A stream of tokens to read windows of. */
export interface TokenStream {
  readonly tokens: number;
  read(start: number, count: number): ArrayLike<number>;
}

/** Loss of the tokens at places `from` … `to` − 1 of a window, nats. */
export interface PositionPoint {
  readonly from: number;
  readonly to: number;
  readonly loss: ProbeFigure;
}

/** Loss of tokens that follow the token before them as they did earlier in the window, and of all others. */
export interface Copying {
  readonly repeated: ProbeFigure & { readonly tokens: number };
  readonly others: ProbeFigure & { readonly tokens: number };
}

/** A key's value asked for `distance` tokens after it stood behind its key. */
export interface RetrievalPoint {
  readonly distance: number;
  /** Loss of the value, nats; and where another value had stood there. */
  readonly loss: ProbeFigure;
  readonly control: ProbeFigure;
  /** How often the value is the likeliest token. */
  readonly accuracy: ProbeFigure;
}

/** What was found at one context. */
export interface ContextProbes {
  readonly context: number;
  /** Windows of text that were read. */
  readonly windows: number;
  readonly position?: readonly PositionPoint[] | undefined;
  readonly copying?: Copying | undefined;
  readonly retrieval?: readonly RetrievalPoint[] | undefined;
}

/** How to probe. */
export interface ProbeOptions {
  readonly probes: readonly ProbeName[];
  readonly contexts: readonly number[];
  /** The token that texts begin with. */
  readonly prefix: number;
  /** Told of each context before it is probed. */
  readonly onContext?: (context: number) => void;
}

/** Tokens of text that are read at each context, and questions that are asked at each distance. */
const textTokens = 1 << 16;
const questions = 32;

/** The contexts that can be probed: those that model and text hold; the model's own where they hold none of them. */
export function probedContexts(asked: readonly number[], longest: number, tokens: number): number[] {
  const most = Math.min(longest, tokens - 1);
  const fitting = asked.filter((context) => context <= most);
  return fitting.length > 0 || most < 1 ? fitting : [most];
}

/** Probes a model at each context on a stream of text, whose windows are spread evenly. The same stream, the same figures. */
export async function probe(judge: Judge, stream: TokenStream, options: ProbeOptions): Promise<ContextProbes[]> {
  const { probes, prefix, onContext } = options;
  const found: ContextProbes[] = [];
  for (const context of probedContexts(options.contexts, judge.longest, stream.tokens)) {
    onContext?.(context);
    const windows = spreadWindows(stream, context);
    const wantsText = probes.includes("position") || probes.includes("copying");
    const judged = wantsText ? await judge.judge(windows) : [];
    found.push({
      context,
      windows: judged.length,
      ...(probes.includes("position") && { position: byPosition(judged, context) }),
      ...(probes.includes("copying") && { copying: copying(windows, judged) }),
      ...(probes.includes("retrieval") && { retrieval: await retrieval(judge, stream, { context, prefix }) }),
    });
  }
  return found;
}

function spreadWindows(stream: TokenStream, context: number): Window[] {
  const most = Math.floor((stream.tokens - 1) / context);
  const count = Math.min(most, Math.max(1, Math.floor(textTokens / context)));
  return Array.from({ length: count }, (_, i) => {
    const tokens = Int32Array.from(stream.read(Math.floor((i * most) / count) * context, context + 1));
    return { inputs: tokens.subarray(0, -1), labels: tokens.subarray(1) };
  });
}

/** Places 0, 1, 2 to 3, 4 to 7, …: a model's loss falls with the logarithm of its place. */
export function byPosition(judged: readonly Judged[], context: number): PositionPoint[] {
  const points: PositionPoint[] = [];
  for (let [from, to] = [0, 1]; from < context; [from, to] = [to, Math.min(context, to * 2)]) {
    const sums = judged.map(({ scores }) => {
      const part = scores.subarray(from, to);
      return [-part.reduce((sum, score) => sum + score, 0), part.length] as const;
    });
    points.push({ from, to, loss: ratio(sums) });
    if (to === context) break;
  }
  return points;
}

/** Splits the loss by whether the pair of a token and the one before stood earlier in the window. */
export function copying(windows: readonly Window[], judged: readonly Judged[]): Copying {
  const repeated: [number, number][] = [];
  const others: [number, number][] = [];
  for (const [i, { inputs, labels }] of windows.entries()) {
    const seen = new Set<string>();
    const sums = { repeated: [0, 0] as [number, number], others: [0, 0] as [number, number] };
    for (let at = 0; at < inputs.length; at++) {
      const pair = `${inputs[at]} ${labels[at]}`;
      const sum = seen.has(pair) ? sums.repeated : sums.others;
      sum[0] -= judged[i]?.scores[at] as number;
      sum[1]++;
      seen.add(pair);
    }
    repeated.push(sums.repeated);
    others.push(sums.others);
  }
  const count = (sums: readonly [number, number][]) => sums.reduce((all, [, tokens]) => all + tokens, 0);
  return {
    repeated: { ...ratio(repeated), tokens: count(repeated) },
    others: { ...ratio(others), tokens: count(others) },
  };
}

/** Tokens of text before a pair. */
const leadTokens = 8;

/** Distances in a context: 8, 16, 32, …, and the largest of which a question fits. */
export function retrievalDistances(context: number): number[] {
  const most = context - leadTokens - 2; // the prefix and the key come before as well
  const distances: number[] = [];
  for (let distance = 8; distance < most; distance *= 2) distances.push(distance);
  return most >= 2 ? [...distances, most] : [];
}

/** A question: text, a key and its value, text, the key again; `control` has another value in its place. */
export interface Question {
  readonly asked: Window;
  readonly control: Window;
}

/** Makes a question from text: key and values are of the text's own tokens, and stand nowhere between. */
export function question(stream: TokenStream, distance: number, prefix: number, random: Random): Question {
  const length = leadTokens + distance - 2; // the value and the key asked lie within the distance
  const start = random.below(Math.max(1, stream.tokens - length));
  const text = Int32Array.from(stream.read(start, Math.min(length, stream.tokens)));
  const taken = new Set<number>([prefix, ...text]);
  const draw = () => {
    for (let tries = 0; tries < 1000; tries++) {
      const token = stream.read(random.below(stream.tokens), 1)[0] as number;
      if (taken.has(token)) continue;
      taken.add(token);
      return token;
    }
    return stream.read(random.below(stream.tokens), 1)[0] as number; // a long text that has nearly every token
  };
  const [key, value, other] = [draw(), draw(), draw()];
  const window = (seen: number): Window => {
    const inputs = [prefix, ...text.subarray(0, leadTokens), key, seen, ...text.subarray(leadTokens), key];
    return { inputs, labels: [...inputs.slice(1), value] };
  };
  return { asked: window(value), control: window(other) };
}

async function retrieval(
  judge: Judge,
  stream: TokenStream,
  { context, prefix }: { context: number; prefix: number },
): Promise<RetrievalPoint[]> {
  const points: RetrievalPoint[] = [];
  for (const distance of retrievalDistances(context)) {
    const random = new Random(distance).split("retrieval");
    const asked = Array.from({ length: questions }, () => question(stream, distance, prefix, random));
    const judged = await judge.judge([...asked.map(({ asked }) => asked), ...asked.map(({ control }) => control)]);
    const last = ({ scores, best }: Judged) => ({ score: scores.at(-1) as number, best: best.at(-1) as number });
    const [seen, control] = [judged.slice(0, questions).map(last), judged.slice(questions).map(last)];
    points.push({
      distance,
      loss: meanLoss(seen.map(({ score }) => -score)),
      control: meanLoss(control.map(({ score }) => -score)),
      accuracy: meanLoss(seen.map(({ score, best }) => Number(score >= best))),
    });
  }
  return points;
}
