import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OutputRows } from "../../src/cli/output-rows.ts";
import { InputError } from "../../src/error.ts";
import { scratch } from "../files/scratch.ts";

const whole = '{"index":0,"prompt":"wé"}\n';

describe("OutputRows", () => {
  it.each(["", "{", '{"index":', '{"index":1,"prompt":"中'])("cuts off %j", async (tail) => {
    const path = join(scratch(), "out.jsonl");
    for (const rows of ["", whole]) {
      writeFileSync(path, rows + tail);
      const opened = await OutputRows.open(path);
      expect(opened.done.size).toBe(rows === "" ? 0 : 1);
      await opened.write({ index: 2, prompt: "of" });
      await opened.close();
      expect(readFileSync(path, "utf8")).toBe(`${rows}{"index":2,"prompt":"of"}\n`);
    }
  });

  it("keeps a row that only lacks its end", async () => {
    const path = join(scratch(), "out.jsonl");
    writeFileSync(path, `${whole}{"index":1,"prompt":"we"}`);
    const opened = await OutputRows.open(path);
    expect([...opened.done]).toEqual([
      [0, { prompt: "wé" }],
      [1, { prompt: "we" }],
    ]);
    await opened.write({ index: 2, prompt: "of" });
    await opened.close();
    expect(readFileSync(path, "utf8")).toBe(`${whole}{"index":1,"prompt":"we"}\n{"index":2,"prompt":"of"}\n`);
  });

  it.each(["a diary", '{"prompt":"we"}', '{"index"; 3', " "])(
    "leaves a file that ends with %j as it is",
    async (tail) => {
      const path = join(scratch(), "out.jsonl");
      for (const [rows, line] of [
        ["", 1],
        [whole, 2],
      ] as const) {
        writeFileSync(path, rows + tail);
        await expect(OutputRows.open(path)).rejects.toThrow(
          new InputError(`--out: ${path}, line ${line} is no row of an earlier run; choose another file`),
        );
        expect(readFileSync(path, "utf8")).toBe(rows + tail);
      }
    },
  );

  it("cuts where bytes end that are no text", async () => {
    const path = join(scratch(), "out.jsonl");
    const bytes = Buffer.concat([Buffer.from('{"index":0,"prompt":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}\n')]);
    writeFileSync(path, Buffer.concat([bytes, Buffer.from('{"ind')]));
    await (await OutputRows.open(path)).close();
    expect(readFileSync(path)).toEqual(bytes);
  });

  describe("knows what its rows were made with", () => {
    const about = {
      run: { name: "H8-MQA", weights: "12ab" },
      engine: { kvDtype: "float32" },
      options: { temperature: 1 },
    };
    const begun = async () => {
      const path = join(scratch(), "out.jsonl");
      const rows = await OutputRows.open(path, about);
      await rows.write({ index: 0, prompt: "we" });
      await rows.write({ index: 1, prompt: "of", options: { maxTokens: 3 } });
      await rows.close();
      return path;
    };

    it("and goes on with the same", async () => {
      const path = await begun();
      await using rows = await OutputRows.open(path, structuredClone(about));
      expect(rows.has({ index: 0, prompt: "we", options: {} })).toBe(true);
      expect(rows.has({ index: 1, prompt: "of", options: { maxTokens: 3 } })).toBe(true);
      expect(rows.has({ index: 2, prompt: "we", options: {} })).toBe(false);
      expect(() => rows.has({ index: 1, prompt: "of", options: { maxTokens: 4 } })).toThrow(
        /line 2 was .*"maxTokens":3.*, is .*"maxTokens":4/,
      );
      expect(() => rows.has({ index: 0, prompt: "we", options: { n: 2 } })).toThrow(InputError);
    });

    it.each([
      [{ ...about, run: { name: "H8-MQA", weights: "34cd" } }, /run\.weights "12ab", asked is "34cd"/],
      [{ ...about, engine: { kvDtype: "int8" } }, /engine\.kvDtype "float32", asked is "int8"/],
      [{ ...about, options: { temperature: 0 } }, /options\.temperature 1, asked is 0/],
      [{ ...about, options: { temperature: 1, seed: 3 } }, /options\.seed nothing, asked is 3/],
    ])("and refuses others by name: %j", async (other, message) => {
      const path = await begun();
      const before = readFileSync(path, "utf8");
      await expect(OutputRows.open(path, other)).rejects.toThrow(message);
      expect(readFileSync(path, "utf8")).toBe(before);
      await (await OutputRows.open(path, about)).close(); // and leaves no lock
    });

    it("and takes a file that has no rows yet", async () => {
      const path = await begun();
      writeFileSync(path, "");
      await (await OutputRows.open(path, { options: { temperature: 0 } })).close();
      expect(JSON.parse(readFileSync(`${path}.about.json`, "utf8"))).toEqual({ options: { temperature: 0 } });
    });
  });

  it("is one process's at a time, by whatever path", async () => {
    const directory = scratch();
    const path = join(directory, "out.jsonl");
    writeFileSync(path, "");
    symlinkSync(path, join(directory, "link.jsonl"));
    const rows = await OutputRows.open(path);
    await expect(OutputRows.open(join(directory, "link.jsonl"))).rejects.toThrow(/link\.jsonl: in use by this process/);
    await rows.close();
    expect(readdirSync(directory).sort()).toEqual(["link.jsonl", "out.jsonl"]);
    await (await OutputRows.open(path)).close();
  });
});
