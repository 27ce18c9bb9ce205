// A task's figures for a model: texts become tokens as lm-evaluation-harness makes them, their likelihoods are asked of a
// judge, and the form makes figures of them. Knows no device and no files.

import type { Tokenizer } from "../../text/tokenizer.ts";
import { spaceClass } from "../../text/word-count.ts";
import type { Judge } from "../judge.ts";
import { type Continuation, fitOf, type Likelihood, loglikelihoods, rollingLoglikelihoods } from "../loglikelihood.ts";
import { type Figure, meanOfFigures } from "./metrics.ts";
import { type ChoiceItem, type Form, forms, type Item, isRolling, type Request, type RollingItem } from "./task.ts";
import type { Subset, TaskItems } from "./task-files.ts";

/** A model to evaluate. */
export interface Candidate {
  readonly judge: Judge;
  readonly tokenizer: Tokenizer;
  /** Begin every context with the tokenizer's prefix, as the harness does for tokenizers that add one by themselves. */
  readonly prefixed?: boolean | undefined;
}

/** Figures by metric. */
export type Figures = Readonly<Record<string, Figure>>;

/** What a model scored on a task. */
export interface TaskScore {
  readonly items: number;
  readonly metrics: Figures;
  /** By subset, where the task has such. */
  readonly subsets?: Readonly<Record<string, { readonly items: number; readonly metrics: Figures }>> | undefined;
  /** Texts whose context lost its beginning, and texts scored in pieces, for they are longer than the model reads. */
  readonly cut: number;
  readonly pieces: number;
  /** A hash of the items: scores of different ones are not compared. */
  readonly digest: string;
}

/** What a model said of one item. */
export interface Sample {
  readonly task: string;
  readonly subset?: string | undefined;
  /** Its place in the subset, from 0. */
  readonly item: number;
  /** Contexts and continuations; of a rolling text the text alone. */
  readonly arguments: readonly (readonly string[])[];
  /** Of each, the log-likelihood in nats and whether it is the likeliest text. */
  readonly responses: readonly (readonly [number, boolean])[];
  /** Tokens of each continuation. */
  readonly tokens: readonly number[];
  readonly target?: number | undefined;
  /** By metric: what the item adds to it. */
  readonly metrics: Readonly<Record<string, readonly number[]>>;
}

/** Who is told of what comes. */
export interface Listeners {
  /** Of texts done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly onSample?: (sample: Sample) => void;
}

const trailing = new RegExp(`${spaceClass}+$`);

/**
 * The tokens of a text after another (the harness's `_encode_pair`): spaces at the context's end go with the
 * continuation, and its tokens are those that the whole has after as many as the context has. An empty context is the
 * token that texts begin with.
 */
export function encodePair(
  { context, continuation }: Request,
  { tokenizer, prefixed }: Omit<Candidate, "judge">,
): Continuation {
  const first = tokenizer.prefix.at(-1) ?? tokenizer.endOfText;
  if (context === "") {
    const tokens = tokenizer.encode(continuation);
    return tokens[0] === first
      ? { context: tokens.subarray(0, 1), continuation: tokens.subarray(1) }
      : { context: [first], continuation: tokens };
  }
  const spaces = trailing.exec(context)?.[0] ?? "";
  const kept = context.slice(0, context.length - spaces.length);
  const whole = tokenizer.encode(kept + spaces + continuation);
  const count = tokenizer.encode(kept).length;
  const begun = prefixed ? [...tokenizer.prefix, ...whole.subarray(0, count)] : whole.subarray(0, count);
  return { context: begun.length === 0 ? [first] : begun, continuation: whole.subarray(count) };
}

/** Evaluates a model on a task. */
export async function evaluateTask(
  candidate: Candidate,
  { task, subsets, digest }: TaskItems,
  listeners: Listeners = {},
): Promise<TaskScore> {
  const form: Form = forms[task.form];
  const all = subsets.flatMap(({ items }) => items);
  const scored = await likelihoodsOf(candidate, all, listeners.onProgress);
  const found = scored.found.values();
  const values = subsets.map(({ name, items }) =>
    items.map((item, i) => {
      const likelihoods = found.next().value as Likelihood[];
      const added = form.values(item, likelihoods);
      listeners.onSample?.(sampleOf({ task: task.name, subset: name, item: i }, item, likelihoods, added));
      return added;
    }),
  );
  const figuresOf = (of: readonly Record<string, readonly number[]>[]): Figures =>
    Object.fromEntries(
      Object.entries(form.metrics).map(([name, aggregate]) => [name, aggregate(of.map((value) => value[name] ?? []))]),
    );
  const figures = values.map(figuresOf);
  const metrics = task.subsets ? meansOf(figures) : (figures[0] as Figures);
  const bySubset = (subset: Subset, i: number) =>
    [subset.name as string, { items: subset.items.length, metrics: figures[i] as Figures }] as const;
  const { cut, pieces } = scored;
  return {
    items: all.length,
    metrics,
    ...(task.subsets && { subsets: Object.fromEntries(subsets.map(bySubset)) }),
    cut,
    pieces,
    digest,
  };
}

function meansOf(figures: readonly Figures[]): Figures {
  const names = Object.keys(figures[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, meanOfFigures(figures.map((one) => one[name] as Figure))]));
}

/** The likelihoods of each item's texts. */
async function likelihoodsOf(candidate: Candidate, items: readonly Item[], told: Listeners["onProgress"]) {
  const { judge, tokenizer } = candidate;
  if (items.every(isRolling)) {
    const texts = items.map(({ text }) => tokenizer.encode(text));
    const windows = texts.reduce((sum, { length }) => sum + Math.ceil(length / judge.longest), 0);
    const first = tokenizer.prefix.at(-1) ?? tokenizer.endOfText;
    const found = await rollingLoglikelihoods(judge, texts, first, (done) => told?.(done, windows));
    return { found: found.map((one) => [one]), cut: 0, pieces: 0 };
  }
  const pairs = (items as ChoiceItem[]).map(({ requests }) =>
    requests.map((request) => encodePair(request, candidate)),
  );
  const fits = pairs.flat().map((pair) => fitOf(pair, judge.longest));
  const flat = await loglikelihoods(judge, pairs.flat(), (done) => told?.(Math.min(done, fits.length), fits.length));
  const rest = flat.values();
  return {
    found: pairs.map((of) => of.map(() => rest.next().value as Likelihood)),
    cut: fits.filter((fit) => fit === "cut").length,
    pieces: fits.filter((fit) => fit === "pieces").length,
  };
}

function sampleOf(
  place: Pick<Sample, "task" | "subset" | "item">,
  item: Item,
  found: readonly Likelihood[],
  metrics: Sample["metrics"],
): Sample {
  const asked = isRolling(item)
    ? { arguments: [[(item as RollingItem).text]] }
    : { arguments: item.requests.map(({ context, continuation }) => [context, continuation]), target: item.gold };
  return {
    ...place,
    ...asked,
    responses: found.map(({ logprob, greedy }) => [logprob, greedy]),
    tokens: found.map(({ tokens }) => tokens),
    metrics,
  };
}
