// What an evaluation asks of a model: items of one of four forms, what is scored of them, and the metrics of the form.
// The forms are those of EleutherAI's lm-evaluation-harness; knows no files, no tokens and no particular task.

import type { Likelihood } from "../loglikelihood.ts";
import { type Aggregate, byteBits, meanOf, perplexityOf, perUnit } from "./metrics.ts";

/** A text to score after another. */
export interface Request {
  readonly context: string;
  readonly continuation: string;
}

/** Texts of which one is right. A form that has only one text has that one right. */
export interface ChoiceItem {
  readonly requests: readonly Request[];
  /** Which request is right. */
  readonly gold: number;
  /** Characters of each choice, by which `acc_norm` divides. */
  readonly lengths: readonly number[];
}

/** A text to predict from its beginning. */
export interface RollingItem {
  readonly text: string;
  /** Words and UTF-8 bytes by which its likelihood is divided. */
  readonly words: number;
  readonly bytes: number;
}

export type Item = ChoiceItem | RollingItem;

/** Whether an item is predicted whole. */
export function isRolling(item: Item): item is RollingItem {
  return "text" in item;
}

/** A metric's values of all items: numbers, or of rolling texts a likelihood with what it is divided by. */
export type Values = readonly (readonly number[])[];

/** What a form measures: `values` gives what an item adds to each metric, `metrics` how they become figures. */
export interface Form {
  readonly metrics: Readonly<Record<string, Aggregate>>;
  values(item: Item, found: readonly Likelihood[]): Record<string, readonly number[]>;
}

/** The index of the greatest, the first of equals. */
function greatest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

const right = (item: Item, scores: readonly number[]) => [Number(greatest(scores) === (item as ChoiceItem).gold)];
const logprobs = (found: readonly Likelihood[]) => found.map(({ logprob }) => logprob);

/** The forms by name. */
export const forms = {
  /** One right continuation: is every token of it the likeliest, and how likely is it? */
  continuation: {
    metrics: { acc: meanOf, perplexity: perplexityOf },
    values: (_, [only]) => ({ acc: [Number(only?.greedy)], perplexity: [only?.logprob as number] }),
  },
  /** The likeliest of several. */
  choice: {
    metrics: { acc: meanOf },
    values: (item, found) => ({ acc: right(item, logprobs(found)) }),
  },
  /** The likeliest of several; also by likelihood per character. */
  choices: {
    metrics: { acc: meanOf, acc_norm: meanOf },
    values: (item, found) => ({
      acc: right(item, logprobs(found)),
      acc_norm: right(
        item,
        found.map(({ logprob }, i) => logprob / ((item as ChoiceItem).lengths[i] as number)),
      ),
    }),
  },
  /** Whole texts. */
  rolling: {
    metrics: { word_perplexity: perUnit, byte_perplexity: perUnit, bits_per_byte: byteBits },
    values: (item, [only]) => {
      const { words, bytes } = item as RollingItem;
      const logprob = only?.logprob as number;
      return { word_perplexity: [logprob, words], byte_perplexity: [logprob, bytes], bits_per_byte: [logprob, bytes] };
    },
  },
} satisfies Record<string, Form>;

export type FormName = keyof typeof forms;

/** A task: a row of the table in `task-table.ts`. */
export interface Task {
  readonly name: string;
  readonly form: FormName;
  /** How its files may begin, without `.jsonl` and the like. */
  readonly files: readonly string[];
  /** Where the hub has it, as `openRows` takes it. */
  readonly hub: string;
  /** Whether each file is a subset of its own; its figures are then means over the subsets. */
  readonly subsets?: boolean;
  /** Files of plain text instead of rows: the rows that a text holds. */
  rows?(text: string): Row[];
  /** The item of a row of its files. Throws where a field is missing. */
  item(row: Row): Item;
}

/** A row as its file has it. */
export type Row = Readonly<Record<string, unknown>>;
