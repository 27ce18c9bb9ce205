import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OutputRows } from "../../src/cli/prompts.ts";
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
      [0, "wé"],
      [1, "we"],
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
});
