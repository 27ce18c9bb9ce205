import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { InputError } from "../../dist/error.js";
import { type Constraint, GrammarCompiler } from "../../dist/grammar/grammar.js";
import { Random } from "../../src/tensor/random.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { corpus } from "../text/strings.ts";
import { allowed, bytewise, compiler as bytewiseCompiler, randomText, takes } from "./bytewise.ts";

// 389 tokens: not a multiple of 32. The last two are special, so no text has them.
const json = trainBpe([...corpus, '{"name": "é", "tags": ["a", "b"]}, {"name": "中文", "size": 12}'], {
  vocab: 387,
}).json;
for (const [i, content] of ["<|im_start|>", "<|im_end|>"].entries()) {
  (json as { added_tokens: object[] }).added_tokens.push({ id: 387 + i, content, special: true });
}
const tokenizer = loadTokenizer(json);
const compiler = await GrammarCompiler.create(tokenizer);

const schema = {
  type: "object",
  properties: {
    name: { type: "string" },
    kind: { enum: ["cat", "dog", "中文"] },
    age: { type: "integer", minimum: 0, maximum: 30 },
    tags: {
      type: "array",
      items: { type: "array", items: { type: "integer" }, maxItems: 2 },
      minItems: 1,
      maxItems: 3,
    },
    note: { type: "string", maxLength: 8 },
    owner: { type: "object", properties: { id: { type: "integer" }, alive: { type: "boolean" } }, required: ["id"] },
  },
  required: ["name", "kind", "tags"],
};

type Cat = Record<"name" | "kind" | "age" | "tags" | "note" | "owner", unknown>;

/** Whether a value has the schema above, by hand. */
function fits(value: Cat): boolean {
  const { name, kind, age, tags, note, owner } = value;
  const known = ["name", "kind", "age", "tags", "note", "owner"];
  const { id, alive, ...more } = (owner ?? { id: 0 }) as Record<string, unknown>;
  return (
    Object.keys(value).every((key) => known.includes(key)) &&
    typeof name === "string" &&
    ["cat", "dog", "中文"].includes(kind as string) &&
    (age === undefined || (Number.isInteger(age) && (age as number) >= 0 && (age as number) <= 30)) &&
    Array.isArray(tags) &&
    tags.length >= 1 &&
    tags.length <= 3 &&
    tags.every((tag) => Array.isArray(tag) && tag.length <= 2 && tag.every(Number.isInteger)) &&
    (note === undefined || (typeof note === "string" && [...note].length <= 8)) &&
    Number.isInteger(id) &&
    [undefined, true, false].includes(alive as boolean) &&
    Object.keys(more).length === 0
  );
}

function write(constraint: Constraint, text: string): boolean {
  return [...tokenizer.encode(text)].every((token) => constraint.accept(token));
}

describe("jsonSchema", () => {
  it("makes a random model write what the schema says", async () => {
    const random = new Random(1);
    const seen = new Set<string>();
    let beyond = 0;
    for (let i = 0; i < 200; i++) {
      const text = randomText(await compiler.jsonSchema(schema), random, { tokenizer, patience: random.below(300) });
      const value = JSON.parse(text);
      expect(fits(value), text).toBe(true);
      for (const key of Object.keys(value)) seen.add(key);
      if (/[^\0-\x7f]/.test(value.name)) beyond++;
    }
    expect(seen.size).toBe(6); // properties that may be left out are not always
    expect(beyond).toBeGreaterThan(20);
  });

  it("refuses what is no schema", async () => {
    const make = compiler.jsonSchema({ properties: { a: { type: "integer", multipleOf: 3 } } });
    await expect(make).rejects.toThrow(InputError);
    await expect(make).rejects.toThrow("JSON schema: #/properties/a: multipleOf is not supported for integer");
    const none = compiler.jsonSchema(("xml" as unknown as { jsonSchema: object }).jsonSchema);
    await expect(none).rejects.toThrow(InputError.at("format", 'must be "json" or {jsonSchema}'));
  });
});

describe("a constraint", () => {
  it("allows nothing but the end of text or turn when all is said, and that again once it is done", async () => {
    expect([...tokenizer.ends]).toEqual([0, 388]);
    using constraint = await compiler.jsonSchema(schema);
    expect(write(constraint, '{"name": "é", "kind": "dog", "tags": [[]]')).toBe(true);
    expect(allowed(constraint.allowed())).not.toContain(tokenizer.endOfText);
    expect(constraint.accept(tokenizer.endOfText)).toBe(false);
    expect(write(constraint, "}")).toBe(true);
    for (const done of [false, true, true]) {
      expect(constraint.done).toBe(done);
      expect(allowed(constraint.allowed())).toEqual([0, 388]);
      expect(constraint.accept(tokenizer.encode("}")[0] as number)).toBe(false);
      expect(constraint.accept(tokenizer.endOfText)).toBe(true);
    }
  });

  it("is done by any of the tokenizer's ends", async () => {
    for (const end of tokenizer.ends) {
      using constraint = await compiler.json();
      expect(write(constraint, "[]")).toBe(true);
      expect(constraint.accept(end)).toBe(true);
      expect(constraint.done).toBe(true);
    }
  });

  it("accepts the tokens of its mask and no others, wherever it is", async () => {
    const tokens = Array.from({ length: tokenizer.vocab + 3 }, (_, id) => id);
    const text = '{"name": "中\\n", "kind": "cat"';
    for (let length = 0; length < text.length; length += 3) {
      using place = await compiler.jsonSchema(schema);
      expect(write(place, text.slice(0, length))).toBe(true);
      const mask = new Set(allowed(place.allowed()));
      expect(mask.size).toBeGreaterThan(0);
      for (const id of [...tokens.filter((token) => !mask.has(token)), -1, 0.5, Number.NaN, 2 ** 32]) {
        expect(place.accept(id), `${id} after ${text.slice(0, length)}`).toBe(false);
      }
      for (const id of mask) {
        using other = await compiler.jsonSchema(schema);
        write(other, text.slice(0, length));
        expect(other.accept(id), `${id} after ${text.slice(0, length)}`).toBe(true);
      }
    }
  });

  it("has a bit for every token, none past the last, and the caller's own", async () => {
    using constraint = await compiler.json();
    constraint.accept(tokenizer.encode('"')[0] as number);
    const mask = constraint.allowed();
    expect(mask).toHaveLength(13);
    expect(allowed(mask).length).toBeGreaterThan(200);
    expect(Math.max(...allowed(mask))).toBeLessThan(387); // and so not special
    mask.fill(-1);
    expect(allowed(constraint.allowed())).not.toContain(388);
  });

  it("has bits for the tokens that only the model knows", async () => {
    using wide = await GrammarCompiler.create(tokenizer, { vocab: 512 });
    using constraint = await wide.json();
    using narrow = await compiler.json();
    expect(constraint.allowed()).toHaveLength(16);
    expect(allowed(constraint.allowed())).toEqual(allowed(narrow.allowed()));
    await expect(GrammarCompiler.create(tokenizer, { vocab: 388 })).rejects.toThrow(/at least the tokenizer's 389/);
  });

  it("takes well-formed UTF-8 only", async () => {
    const string = (...bytes: number[]) => Uint8Array.of(0x22, ...bytes, 0x22);
    const wrong = [
      [0x80],
      [0xc0, 0x80],
      [0xe0, 0x80, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xff],
      [0xe2, 0x82],
      [0xc3, 0x28],
    ];
    for (const bytes of wrong) expect(takes(await bytewiseCompiler.json(), string(...bytes)), `${bytes}`).toBe(false);
    for (const text of ["\u0080", "߿", "ࠀ", "퟿", "\ue000", "𐀀", "\u{10ffff}"]) {
      expect(takes(await bytewiseCompiler.json(), `"${text}"`)).toBe(true);
    }
    const pairs = {
      ...bytewise,
      vocab: 258,
      bytesOf: (id: number) => (id === 257 ? Uint8Array.of(0xed, 0xa0) : bytewise.bytesOf(id)),
    };
    using paired = await GrammarCompiler.create(pairs);
    using constraint = await paired.json();
    constraint.accept(0x22);
    expect(constraint.accept(257)).toBe(false);
  });

  it("goes on without its compiler, and can be disposed of twice", async () => {
    const other = await GrammarCompiler.create(tokenizer);
    const constraint = await other.json();
    other[Symbol.dispose]();
    expect(write(constraint, "[1, 2]")).toBe(true);
    constraint[Symbol.dispose]();
    constraint[Symbol.dispose]();
    using again = await other.json();
    expect(write(again, "[1")).toBe(true);
    other[Symbol.dispose]();
  });
});

describe("other grammars", () => {
  it("take any JSON, regular expressions and EBNF", async () => {
    expect(takes(await bytewiseCompiler.json(), '[{"a": [null, -1.5e3]}, "é"]')).toBe(true);
    expect(takes(await bytewiseCompiler.regex("^(ja|nein)!?$"), "nein!")).toBe(true);
    expect(takes(await bytewiseCompiler.grammar('root ::= "a" rest\nrest ::= [0-9]+'), "a12")).toBe(true);
    expect(takes(await bytewiseCompiler.grammar('root ::= "a" rest\nrest ::= [0-9]+'), "ab")).toBe(false);
  });

  it("tell what is wrong with them, and go on", async () => {
    using running = await compiler.json();
    write(running, "[1");
    for (const [ebnf, message] of [
      ["root ::= ", /^grammar: EBNF parser error at line 1.*Expect element/],
      ['start ::= "a"', /^grammar: .*root/],
      ["root ::= [^é]", /^grammar: Negative Character class contains byte greater than 127/],
    ] as const) {
      const make = compiler.grammar(ebnf);
      await expect(make).rejects.toThrow(InputError);
      await expect(make).rejects.toThrow(message);
    }
    expect(write(running, ", 2]")).toBe(true);
    using next = await compiler.json();
    expect(write(next, "[1]")).toBe(true);
    await expect(compiler.regex("a(?!b)")).rejects.toThrow(/^regex: .*looking ahead/);
    await expect(compiler.grammar(`root ::= "${"a".repeat(300_000)}"`)).rejects.toThrow(/262144 are the most/);
  });

  it("are refused where the library fails at them, and others go on", async () => {
    for (const depth of [300, 5_000]) {
      const make = compiler.grammar(`root ::= ${"(".repeat(depth)}"a"${")".repeat(depth)}`);
      await expect(make).rejects.toThrow(InputError);
      await expect(make).rejects.toThrow(/^response format: the grammar cannot be compiled: ./);
    }
    using next = await compiler.json();
    expect(write(next, "[1]")).toBe(true);
  });

  it("can be made at the same time", async () => {
    using other = await GrammarCompiler.create(bytewise);
    const wrong = ["root ::= ", 'start ::= "a"', 'root ::= "a" b', "root ::= [^é]"];
    const made = await Promise.allSettled([
      ...wrong.flatMap((ebnf) => [other.grammar(ebnf), other.json()]),
      other.grammar('root ::= "a"'),
    ]);
    const reasons = made.map((result) =>
      result.status === "rejected" ? String(result.reason) : takes(result.value, "a"),
    );
    const alone = [];
    for (const ebnf of wrong) alone.push(await other.grammar(ebnf).catch(String), false);
    expect(reasons).toEqual([...alone, true]);
  });

  it("are not worse for many that were wrong", async () => {
    for (let i = 0; i < 60; i++) await expect(compiler.grammar('root ::= "a" ((((((((((')).rejects.toThrow(InputError);
    using next = await compiler.json();
    expect(write(next, "[1]")).toBe(true);
  });
});

describe("resources", () => {
  it("do not grow with constraints that are made and disposed of", async () => {
    const round = async (count: number) => {
      for (let i = 0; i < count; i++) {
        // More schemas than are kept compiled.
        const properties = { ...schema.properties, age: { type: "integer", maximum: i % 4 === 0 ? i % 160 : 1 } };
        using constraint = await compiler.jsonSchema({ ...schema, properties });
        write(constraint, '{"name": "a');
        constraint.allowed();
        if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve)); // finalizers run
      }
      return process.memoryUsage().external; // has the memory of WebAssembly
    };
    await round(1000);
    const before = await round(200);
    expect((await round(1000)) - before).toBeLessThan(4 << 20);
  });

  it("are there on another thread", async () => {
    const file = new URL("bytewise.ts", import.meta.url).href;
    const source = `
      const { parentPort } = require("node:worker_threads");
      const load = import("tsx/esm/api").then(({ tsImport }) => tsImport(${JSON.stringify(file)}, "file:///"));
      load.then(async ({ takes, compiler }) => parentPort.postMessage(takes(await compiler.json(), "[1, true]")));`;
    const worker = new Worker(source, { eval: true, execArgv: [] });
    expect(await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject))).toBe(true);
    await worker.terminate();
  });
});

describe("a grammar that takes too long", () => {
  const slow = `^${"[^a]{0,12}".repeat(40)}$`;
  const b = tokenizer.encode("b")[0] as number;

  it("ends its own text with an error, and nobody waits for it", { timeout: 60_000 }, async () => {
    using other = await GrammarCompiler.create(tokenizer);
    using running = await other.json();
    expect(write(running, "[1")).toBe(true);
    using constraint = await other.regex(slow);
    let [looks, longest] = [0, 0];
    const follow = () => {
      for (let count = 0; count < 480; count++) {
        for (let known = false; !known; looks++) {
          const start = performance.now();
          known = constraint.ready(start + 5);
          longest = Math.max(longest, performance.now() - start);
        }
        constraint.allowed();
        constraint.accept(b);
      }
    };
    expect(follow).toThrow(/^response format: the regex takes .*; ask for something simpler$/);
    expect(looks).toBeGreaterThan(100); // it went back to its other work
    expect(longest).toBeLessThan(1000);
    expect(constraint.ready()).toBe(true); // it is known that there is nothing to wait for
    // The text of another grammar went on with another thread, from where it was.
    expect(write(running, ", 2")).toBe(true);
    expect(allowed(running.allowed())).not.toContain(tokenizer.endOfText);
    expect(write(running, "]")).toBe(true);
    expect(allowed(running.allowed())).toContain(tokenizer.endOfText);
  });
});
