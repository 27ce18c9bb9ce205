// The tasks, a row each: how their files are called, and the prompts that lm-evaluation-harness 0.4.13 makes of a row.
// A row may be as the hub's dataset has it, or `{ query, choices, gold }`, `{ context, continuation }` and the like.

import { InputError } from "../../error.ts";
import { countBytes, countWords } from "../../text/word-count.ts";
import type { ChoiceItem, Row, Task } from "./task.ts";
import { detokenized, pagesOf } from "./wikitext.ts";

/** A field that a row has not, or not of the kind that is needed. The reader of the file says where. */
export class MissingField extends Error {
  override readonly name = "MissingField";
}

function text(row: Row, field: string): string {
  const value = row[field];
  if (typeof value !== "string") throw new MissingField(`"${field}", a text`);
  return value;
}

function texts(row: Row, field: string): string[] {
  const value = row[field];
  if (!Array.isArray(value) || value.length === 0 || value.some((one) => typeof one !== "string")) {
    throw new MissingField(`"${field}", a list of texts`);
  }
  return value as string[];
}

/** Which of `count` is right. */
function index(row: Row, field: string, count: number): number {
  const value = typeof row[field] === "bigint" ? Number(row[field]) : row[field];
  if (!Number.isInteger(value) || !((value as number) >= 0 && (value as number) < count)) {
    throw new MissingField(`"${field}", a whole number from 0 to ${count - 1}`);
  }
  return value as number;
}

/** Which label is the answer's, in the hub's `{ choices: { text, label }, answerKey }`. */
function labelled(row: Row): { choices: string[]; gold: number } {
  const { choices } = row;
  if (typeof choices !== "object" || choices === null) throw new MissingField('"choices", with text and label');
  const answers = texts(choices as Row, "text");
  const gold = texts(choices as Row, "label").indexOf(text(row, "answerKey").trim());
  return { choices: answers, gold: index({ answerKey: gold }, "answerKey", answers.length) };
}

/** Choices after one context, each after a space. */
function choiceItem(context: string, choices: readonly string[], gold: number): ChoiceItem {
  return {
    requests: choices.map((choice) => ({ context, continuation: ` ${choice}` })),
    gold,
    lengths: choices.map((choice) => [...choice].length),
  };
}

/** The item of `{ query, choices, gold }`; `context` makes the prompt of the query. */
function queryItem(row: Row, context: (query: string) => string): ChoiceItem {
  const choices = texts(row, "choices");
  return choiceItem(context(text(row, "query")), choices, index(row, "gold", choices.length));
}

const lowered = (choice: string) => choice.charAt(0).toLowerCase() + choice.slice(1);

/** The tasks by name. */
export const tasks: Readonly<Record<string, Task>> = Object.fromEntries(
  (
    [
      {
        name: "blimp",
        form: "choice",
        files: ["blimp"],
        hub: "hf:nyu-mll/blimp@refs/convert/parquet",
        subsets: true,
        item: (row) => choiceItem("", [text(row, "sentence_good"), text(row, "sentence_bad")], 0),
      },
      {
        name: "lambada",
        form: "continuation",
        files: ["lambada_openai", "lambada"],
        hub: "hf:EleutherAI/lambada_openai@refs/convert/parquet:default/test",
        item(row) {
          if (row.context !== undefined) return choiceItem(text(row, "context"), [text(row, "continuation")], 0);
          const words = text(row, "text").split(" ");
          return choiceItem(words.slice(0, -1).join(" "), [words.at(-1) as string], 0);
        },
      },
      {
        name: "piqa",
        form: "choices",
        files: ["piqa"],
        hub: "hf:baber/piqa@refs/convert/parquet:default/validation",
        item(row) {
          const answer = (query: string) => `${query.replace(/\n$/, "")}\nAnswer:`;
          if (row.query !== undefined) return queryItem(row, answer);
          const choices = [text(row, "sol1"), text(row, "sol2")];
          return choiceItem(answer(`Question: ${text(row, "goal")}`), choices, index(row, "label", 2));
        },
      },
      {
        name: "arc_easy",
        form: "choices",
        files: ["arc_easy"],
        hub: "hf:allenai/ai2_arc@refs/convert/parquet:ARC-Easy/test",
        item(row) {
          if (row.query !== undefined) return queryItem(row, (query) => `${query}\nAnswer:`);
          const { choices, gold } = labelled(row);
          return choiceItem(`Question: ${text(row, "question")}\nAnswer:`, choices, gold);
        },
      },
      {
        name: "openbookqa",
        form: "choices",
        files: ["openbookqa", "openbook_qa"],
        hub: "hf:allenai/openbookqa@refs/convert/parquet:main/test",
        item(row) {
          if (row.query !== undefined) return queryItem(row, (query) => query);
          const { choices, gold } = labelled(row);
          return choiceItem(text(row, "question_stem"), choices, gold);
        },
      },
      {
        name: "winogrande",
        form: "choice",
        files: ["winogrande"],
        hub: "hf:allenai/winogrande@refs/convert/parquet:winogrande_xl/validation",
        item(row) {
          if (row.context_options !== undefined) {
            const contexts = texts(row, "context_options");
            return contextItem(contexts, text(row, "continuation"), index(row, "gold", contexts.length));
          }
          const sentence = text(row, "sentence");
          const gap = sentence.indexOf("_");
          if (gap < 0) throw new MissingField('"sentence", with a _');
          const contexts = [text(row, "option1"), text(row, "option2")].map((name) => sentence.slice(0, gap) + name);
          const answer = index({ answer: Number(text(row, "answer")) - 1 }, "answer", 2);
          return contextItem(contexts, sentence.slice(gap + 1).trim(), answer);
        },
      },
      {
        name: "boolq",
        form: "choice",
        files: ["boolq"],
        hub: "hf:aps/super_glue@refs/convert/parquet:boolq/validation",
        item(row) {
          if (row.query !== undefined) return queryItem(row, (query) => `${query.replace(/^Passage: /, "")}\nAnswer:`);
          const context = `${text(row, "passage")}\nQuestion: ${text(row, "question")}?\nAnswer:`;
          return choiceItem(context, ["no", "yes"], index(row, "label", 2));
        },
      },
      {
        name: "copa",
        form: "choice",
        files: ["copa"],
        hub: "hf:aps/super_glue@refs/convert/parquet:copa/validation",
        // The harness writes two spaces: its choices begin with one, and one comes before every choice.
        item(row) {
          if (row.query !== undefined) {
            const choices = texts(row, "choices").map((choice) => ` ${choice}`);
            return choiceItem(text(row, "query"), choices, index(row, "gold", choices.length));
          }
          const question = text(row, "question");
          if (question !== "cause" && question !== "effect") throw new MissingField('"question", cause or effect');
          const premise = text(row, "premise").trim().slice(0, -1);
          const choices = [text(row, "choice1"), text(row, "choice2")].map((choice) => ` ${lowered(choice)}`);
          const connector = question === "cause" ? "because" : "therefore";
          return choiceItem(`${premise} ${connector}`, choices, index(row, "label", 2));
        },
      },
      {
        name: "wikitext",
        form: "rolling",
        files: ["wikitext2-test", "wikitext", "wiki.test"],
        hub: "hf:EleutherAI/wikitext_document_level@refs/convert/parquet:wikitext-2-raw-v1/test",
        rows: (content) => pagesOf(content).map((page) => ({ page })),
        item(row) {
          const page = text(row, "page");
          return { text: detokenized(page), words: countWords(page), bytes: countBytes(page) };
        },
      },
    ] satisfies Task[]
  ).map((task) => [task.name, task]),
);

/** One continuation after several contexts. */
function contextItem(contexts: readonly string[], continuation: string, gold: number): ChoiceItem {
  return {
    requests: contexts.map((context) => ({ context, continuation: ` ${continuation}` })),
    gold,
    lengths: contexts.map(() => [...continuation].length),
  };
}

/** The task of this name. @throws InputError with the names that there are. */
export function taskOf(name: string): Task {
  if (Object.hasOwn(tasks, name)) return tasks[name] as Task;
  const names = Object.keys(tasks);
  throw new InputError(`tasks: there is no ${JSON.stringify(name)}; there is ${names.join(", ")}`);
}
