// Tasks from files to figures, on small made-up sets of every form; the judge is a slow plain one.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import type { Judge } from "../../src/eval/judge.ts";
import type { Window } from "../../src/eval/scorer.ts";
import { encodePair, evaluateTask, type Sample } from "../../src/eval/tasks/evaluate.ts";
import { meanOf, meanOfFigures, perplexityOf } from "../../src/eval/tasks/metrics.ts";
import { type ChoiceItem, isRolling, type RollingItem } from "../../src/eval/tasks/task.ts";
import { askedTasks, readTask, subsetName, type TaskItems } from "../../src/eval/tasks/task-files.ts";
import { tasks } from "../../src/eval/tasks/task-table.ts";
import { detokenized, pagesOf } from "../../src/eval/tasks/wikitext.ts";
import { PieceCounts, trainBpe } from "../../src/text/bpe-training.ts";

const fixtures = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "tasks-"));
afterAll(() => rmSync(place, { recursive: true }));

const counts = new PieceCounts();
counts.add("the boats were old and the bag was large, she sold every apple. Question: Answer: yes no");
const tokenizer = trainBpe(counts, { vocab: 300 });

/** A made-up model: what it says of a token depends on that token and the one before. */
const logprobOf = (before: number, token: number) => -(((before * 7919 + token * 104729) % 997) / 100) - 0.01;

/** A judge that follows the definition token by token; every third token is the likeliest at its place. */
function plainJudge(longest = 64): Judge {
  const judge = async (windows: readonly Window[]) =>
    windows.map(({ inputs, labels }) => {
      if (inputs.length > longest) throw new RangeError("too long");
      const scores = Float32Array.from(labels, (label, i) => logprobOf(inputs[i] as number, label));
      return { scores, best: scores.map((score, i) => ((labels[i] as number) % 3 === 0 ? score : score + 1)) };
    });
  return { longest, judge };
}

async function read(name: string, limit?: number): Promise<TaskItems> {
  const [asked] = askedTasks(name, fixtures);
  if (!asked) throw new Error("nothing asked");
  return readTask(asked.task, asked.where, { limit });
}

/** log p of a text after another by the made-up model, from the texts' tokens. */
function plainly(context: string, continuation: string): number {
  const all = [...tokenizer.encode(context + continuation)];
  const count = tokenizer.encode(context).length;
  const tokens = context === "" ? [tokenizer.endOfText, ...all] : all;
  const first = context === "" ? 1 : count;
  return tokens.slice(first).reduce((sum, token, i) => sum + logprobOf(tokens[first + i - 1] as number, token), 0);
}

describe("prompts", () => {
  const prompts: Record<string, [string, string[], number][]> = {
    piqa: [
      [
        "Question: How do I open a jar?\nAnswer:",
        [" Turn its lid.", " Paint its lid with water and wait for a year."],
        0,
      ],
      ["Question: Keep soup warm\nAnswer:", [" Put it in the snow.", " Cover the pot."], 1],
    ],
    arc_easy: [
      ["Question: What do bees make?\nAnswer:", [" honey", " iron", " paper clips", " rain"], 0],
      ["Question: What melts ice?\nAnswer:", [" frost", " heat"], 1],
    ],
    openbookqa: [
      ["A plant grows toward", [" the light", " the noise", " a stone", " the past"], 0],
      ["Ships float on", [" sand", " water"], 1],
    ],
    boolq: [
      ["The lake is frozen from May to July.\nQuestion: is the lake frozen in June?\nAnswer:", [" no", " yes"], 1],
      ["The tower has no windows.\nQuestion: does the tower have windows?\nAnswer:", [" no", " yes"], 0],
    ],
    copa: [
      ["The lamp went out, therefore", ["  the room was dark.", "  the room was loud."], 0],
      ["The dog barked because", ["  it slept.", "  it heard a noise."], 1],
    ],
    lambada: [
      ["The farmer carried the basket to the market and sold every", [" apple"], 0],
      ["She looked for the key in her coat, and in the coat was the", [" key"], 0],
      ["The bell rang twice, and at the third ring of the", [" bell"], 0],
    ],
  };

  it.each(Object.entries(prompts))("of %s are the harness's, from either form of row", async (name, wanted) => {
    const { subsets } = await read(name);
    const found = (subsets[0]!.items as ChoiceItem[]).map(({ requests, gold }) => {
      expect(new Set(requests.map(({ context }) => context)).size).toBe(1);
      return [requests[0]?.context, requests.map(({ continuation }) => continuation), gold];
    });
    expect(found).toEqual(wanted);
  });

  it("of winogrande have the choice in the context", async () => {
    const { subsets } = await read("winogrande");
    const [first, second] = subsets[0]!.items as ChoiceItem[];
    expect(first?.requests[1]).toEqual({
      context: "The cup did not fit in the bag because the bag",
      continuation: " was too large.",
    });
    expect(second?.requests).toEqual([
      { context: "Ana thanked Ida because Ana", continuation: " had helped." },
      { context: "Ana thanked Ida because Ida", continuation: " had helped." },
    ]);
    expect([first?.gold, second?.gold]).toEqual([0, 1]);
  });

  it("of wikitext are articles as people write them, counted as they were", async () => {
    const { subsets } = await read("wikitext");
    const [mill, road] = subsets[0]!.items as RollingItem[];
    expect(isRolling(mill as RollingItem)).toBe(true);
    expect(mill?.text).toBe(
      ' = The Mill =\n\nThe mill stood at the river for a-hundred years. It had "two wheels" and a roof (of straw), and its owner\'s name was John.\n\n== Wheels ==\n\nThey turned at 1.5 miles.\n',
    );
    expect(road?.text).toBe(" = The Road =\nIt went north; nobody went with it.\n");
    const page = " = The Road = \n It went north ; nobody went with it . \n";
    expect(road).toMatchObject({ words: page.split(/\s+/).length, bytes: page.length });
  });
});

describe("wikitext", () => {
  it("is cut at headings of one equals sign, whatever ends the lines", () => {
    const content = "\n = A = \n x\n = = B = = \n y\n = C D = \n z\n = not a heading \n";
    expect(pagesOf(content)).toHaveLength(2);
    expect(pagesOf(content.replaceAll("\n", "\r\n"))).toEqual(pagesOf(content));
    expect(pagesOf("no heading")).toEqual(["no heading"]);
  });

  it("is detokenized as by the harness's own function", () => {
    const python = JSON.parse(readFileSync(join(fixtures, "detokenized.json"), "utf8")) as [string, string][];
    for (const [page, wanted] of python) expect(detokenized(page)).toBe(wanted);
  });
});

describe("pairs of texts", () => {
  const candidate = { tokenizer };

  it("are the tokens of the whole; spaces at the context's end go with the continuation", () => {
    const spaced = encodePair({ context: "the bag  ", continuation: "was" }, candidate);
    expect([...(spaced.context as number[])]).toEqual([...tokenizer.encode("the bag")]);
    expect([...(spaced.context as number[]), ...(spaced.continuation as number[])]).toEqual([
      ...tokenizer.encode("the bag  was"),
    ]);
  });

  it("begin with the end of text where there is no context, and with the prefix where that is asked for", () => {
    expect([...(encodePair({ context: "", continuation: " old" }, candidate).context as number[])]).toEqual([
      tokenizer.endOfText,
    ]);
    const prefixed = encodePair({ context: "the", continuation: " old" }, { tokenizer, prefixed: true });
    expect([...(prefixed.context as number[])]).toEqual([...tokenizer.prefix, ...tokenizer.encode("the")]);
  });
});

describe("figures", () => {
  it.each(["piqa", "arc_easy", "openbookqa", "winogrande", "boolq", "copa"])(
    "of %s are those of the definition",
    async (name) => {
      const set = await read(name);
      const samples: Sample[] = [];
      const score = await evaluateTask({ judge: plainJudge(), tokenizer }, set, {
        onSample: (one) => samples.push(one),
      });
      const items = set.subsets[0]!.items as ChoiceItem[];
      const best = (values: number[]) => values.indexOf(Math.max(...values));
      const right = items.map(({ requests, gold }) =>
        Number(best(requests.map((one) => plainly(one.context, one.continuation))) === gold),
      );
      const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
      expect(score.metrics.acc?.value).toBe(mean(right));
      expect(samples.map(({ metrics }) => metrics.acc?.[0])).toEqual(right);
      for (const [i, { responses }] of samples.entries()) {
        const wanted = (items[i] as ChoiceItem).requests.map((one) => plainly(one.context, one.continuation));
        for (const [j, [logprob]] of responses.entries()) expect(logprob).toBeCloseTo(wanted[j] as number, 4);
      }
      if (score.metrics.acc_norm) {
        const normed = items.map(({ requests, gold }) =>
          Number(
            best(requests.map((one) => plainly(one.context, one.continuation) / (one.continuation.length - 1))) ===
              gold,
          ),
        );
        expect(score.metrics.acc_norm.value).toBe(mean(normed));
      }
    },
  );

  it("of lambada: the likeliest word, and perplexity of the word", async () => {
    const score = await evaluateTask({ judge: plainJudge(), tokenizer }, await read("lambada"));
    const words = [
      ["The farmer carried the basket to the market and sold every", " apple"],
      ["She looked for the key in her coat, and in the coat was the", " key"],
      ["The bell rang twice, and at the third ring of the", " bell"],
    ] as const;
    const sum = words.reduce((all, [context, word]) => all + plainly(context, word), 0);
    expect(Math.log(score.metrics.perplexity?.value as number)).toBeCloseTo(-sum / 3, 4);
    const likeliest = words.map(([context, word]) => {
      const ids = [...tokenizer.encode(context + word)].slice(tokenizer.encode(context).length);
      return Number(ids.every((id) => id % 3 === 0));
    });
    expect(score.metrics.acc?.value).toBeCloseTo(likeliest.reduce((all, x) => all + x, 0) / 3, 10);
  });

  it("of blimp are the mean of its subsets, each counted alike", async () => {
    const set = await read("blimp");
    const score = await evaluateTask({ judge: plainJudge(), tokenizer }, set);
    expect(Object.keys(score.subsets ?? {})).toEqual(["plural_verb", "this_these"]);
    const means = set.subsets.map(({ items }) => {
      const right = (items as ChoiceItem[]).map(({ requests: [good, bad] }) =>
        Number(plainly("", good?.continuation as string) > plainly("", bad?.continuation as string)),
      );
      return right.reduce((sum, x) => sum + x, 0) / right.length;
    });
    expect(score.metrics.acc?.value).toBeCloseTo(((means[0] as number) + (means[1] as number)) / 2, 10);
    expect(score.items).toBe(5);
  });

  it("of wikitext divide the nats of all pages by words and bytes", async () => {
    const set = await read("wikitext");
    const score = await evaluateTask({ judge: plainJudge(1000), tokenizer }, set);
    const items = set.subsets[0]!.items as RollingItem[];
    const nats = items.reduce((sum, { text }) => sum + plainly("", text), 0);
    const [words, bytes] = [
      items.reduce((sum, { words }) => sum + words, 0),
      items.reduce((sum, { bytes }) => sum + bytes, 0),
    ];
    expect(score.metrics.word_perplexity?.value).toBeCloseTo(Math.exp(-nats / words), -2);
    expect(score.metrics.byte_perplexity?.value).toBeCloseTo(Math.exp(-nats / bytes), 2);
    expect(score.metrics.bits_per_byte?.value).toBeCloseTo(-nats / bytes / Math.LN2, 4);
  });

  it("tell how many texts did not fit", async () => {
    const set = await read("piqa");
    const lengths = (set.subsets[0]!.items as ChoiceItem[]).flatMap(({ requests }) =>
      requests.map(({ context, continuation }) => {
        const all = tokenizer.encode(context + continuation).length;
        return { all, continuation: all - tokenizer.encode(context).length };
      }),
    );
    const longest = lengths.map(({ continuation }) => continuation).sort((a, b) => a - b)[1] as number;
    const score = await evaluateTask({ judge: plainJudge(longest), tokenizer }, set);
    expect(score.pieces).toBe(lengths.filter(({ continuation }) => continuation > longest).length);
    expect(score.cut).toBe(
      lengths.filter(({ all, continuation }) => continuation <= longest && all > longest + 1).length,
    );
    expect(Math.min(score.cut, score.pieces)).toBeGreaterThan(0);
  });

  it("have the harness's standard errors", () => {
    expect(meanOf([[1], [0], [0], [1]]).standardError).toBeCloseTo(Math.sqrt(1 / 3 / 4), 12);
    expect(meanOf([[1]]).standardError).toBeUndefined();
    const { value, standardError } = perplexityOf([[-1], [-2], [-3]]);
    expect(value).toBeCloseTo(Math.exp(2), 10);
    const sums = [1, 2, 3].flatMap((a) => [1, 2, 3].flatMap((b) => [1, 2, 3].map((c) => Math.exp((a + b + c) / 3))));
    const center = sums.reduce((all, x) => all + x, 0) / 27; // over every resample that there is
    const deviation = Math.sqrt(sums.reduce((all, x) => all + (x - center) ** 2, 0) / 27);
    expect((standardError as number) / deviation).toBeCloseTo(1, 1);
    expect(perplexityOf([[-1]]).standardError).toBeUndefined();
    expect(
      meanOfFigures([
        { value: 1, standardError: 0.3 },
        { value: 0, standardError: 0.4 },
      ]),
    ).toEqual({ value: 0.5, standardError: 0.25 });
  });
});

describe("files", () => {
  it("are found packed, in a directory or a tar; items are the same", async () => {
    const folder = join(place, "packed");
    mkdirSync(folder);
    writeFileSync(join(folder, "copa.jsonl.gz"), gzipSync(readFileSync(join(fixtures, "copa.jsonl"))));
    execFileSync("tar", ["-cf", join(folder, "blimp.tar"), "-C", fixtures, "blimp"]);
    const read = async (name: string, from: string) => {
      const [asked] = askedTasks(name, from);
      return readTask(asked?.task as never, asked?.where as string);
    };
    for (const name of ["copa", "blimp"]) expect(await read(name, folder)).toEqual(await read(name, fixtures));
  });

  it("may be parquet, with the hub's fields", async () => {
    const path = join(place, "boolq.parquet");
    const column = (name: string, data: unknown[]) => ({ name, data: data as string[] });
    const columnData = [
      column("passage", ["P"]),
      column("question", ["is it"]),
      { name: "label", data: [1n], type: "INT64" as const },
    ];
    writeFileSync(path, Buffer.from(parquetWriteBuffer({ columnData })));
    const { subsets } = await readTask(tasks.boolq as never, path);
    expect((subsets[0]!.items as ChoiceItem[])[0]).toMatchObject({
      gold: 1,
      requests: [{ context: "P\nQuestion: is it?\nAnswer:" }, {}],
    });
  });

  it("limit each subset", async () => {
    expect((await read("blimp", 1)).subsets.map(({ items }) => items.length)).toEqual([1, 1]);
    expect((await read("piqa", 1)).digest).not.toBe((await read("piqa")).digest);
  });

  it.each([
    ["hellaswag", /there is no "hellaswag"; there is blimp, lambada/],
    ["piqa,piqa", /piqa is asked for twice/],
    ["piqa=/nowhere.jsonl", /\/nowhere.jsonl: no such file/],
    [
      `piqa=${join(fixtures, "copa.jsonl")}`,
      /row 2 is none of piqa: it needs "sol1", a text; it has premise, question/,
    ],
    [`piqa=${join(fixtures, "wikitext.raw")}`, /rows are read of files that end in .jsonl, .parquet/],
    [`boolq=${join(fixtures, "blimp")}`, /is none of boolq/],
  ])("%s is refused", async (asked, message) => {
    const attempt = async () => {
      for (const { task, where } of askedTasks(asked, fixtures)) await readTask(task, where);
    };
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toBeInstanceOf(InputError);
  });

  it("that are missing are named", () => {
    expect(() => askedTasks("copa", place)).toThrow(/has no copa.jsonl .*name its file: copa=<file>/);
    expect(() => askedTasks("copa", join(place, "none"))).toThrow(/is no directory/);
  });

  it("are the hub's where no directory is given", () => {
    expect(askedTasks("copa", undefined)[0]?.where).toBe("hf:aps/super_glue@refs/convert/parquet:copa/validation");
  });
});

it.each([
  ["blimp/adjunct_island.jsonl", "adjunct_island"],
  ["adjunct_island.jsonl.xz", "adjunct_island"],
  ["sets/adjunct_island/train/0000.parquet", "adjunct_island"],
  ["hf:nyu-mll/blimp:parquet:adjunct_island/train/0000.parquet", "adjunct_island"],
])("the subset of %s is %s", (path, name) => {
  expect(subsetName(path)).toBe(name);
});
