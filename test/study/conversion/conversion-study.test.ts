import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { owners } from "../../../src/model/sharing.ts";
import { writeConversionOutputs } from "../../../src/study/conversion/conversion-outputs.ts";
import { conversionPlan, conversionPreset, loadConversionPlan } from "../../../src/study/conversion/conversion-plan.ts";
import { type ConversionResult, conversionStudy } from "../../../src/study/conversion/conversion-study.ts";
import { conversionFindings, conversionMarkdown, recovered } from "../../../src/study/conversion/conversion-table.ts";
import { Random } from "../../../src/tensor/random.ts";
import { cpu1 } from "../../runtime/program.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-conversion-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);

const plan = conversionPlan({
  ...{ kind: "conversion", name: "tiny", title: "Tiny & quick", context: 16, batch: 2 },
  data: { source: at("text.jsonl"), vocab: 280, validationFraction: 0.2 },
  family: { layers: 4, width: 32, mlpWidth: 64 },
  teacher: { model: "H8-GQA2", steps: 6, learningRate: 5e-3 },
  uptrain: { steps: 3, learningRate: 1e-3 },
  ...{ sharings: ["2", "search"], inits: ["fit"] },
});

beforeAll(() => {
  const random = new Random(1);
  const word = () => Array.from({ length: 2 + random.below(6) }, () => "etaoinshrdlu"[random.below(12)]).join("");
  const words = Array.from({ length: 60 }, word);
  const document = () => Array.from({ length: 400 }, () => words[random.below(words.length)]).join(" ");
  const lines = Array.from({ length: 20 }, () => JSON.stringify({ text: document() }));
  writeFileSync(at("text.jsonl"), `${lines.join("\n")}\n`);
});

async function run(directory: string, signal?: AbortSignal, onStep?: () => void, asked = plan) {
  const events = conversionStudy(asked, { directory, device: cpu1, threads: 1, signal });
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
    if (next.value.kind === "step") onStep?.();
  }
}

/** A study that stopped in its first run, and what it says to another plan, or after `change`. */
async function goneOn(name: string, asked: typeof plan, change = () => {}): Promise<unknown> {
  const controller = new AbortController();
  await run(at(name), controller.signal, () => controller.abort());
  change();
  return run(at(name), undefined, undefined, asked).catch((error) => error.message);
}

/** Without what a clock says. */
const numbers = (results: readonly ConversionResult[] | undefined) => results?.map(({ seconds: _, ...rest }) => rest);

describe("a study of conversion", () => {
  it.each([
    ["steps", { teacher: { ...plan.teacher, steps: 5 } }, /was begun with recipe\.steps 6, the plan has 5/],
    ["rate", { teacher: { ...plan.teacher, learningRate: 1e-3 } }, /recipe\.learningRate 0\.005, the plan has 0\.001/],
    ["model", { teacher: { ...plan.teacher, model: "H8-MHA" } }, /model\.kvHeads 2, the plan has 4/],
    ["seed", { seed: 77 }, /recipe\.seed/],
  ])("refuses runs of a plan with another %s", async (name, change, message) => {
    expect(await goneOn(`other-${name}`, { ...plan, ...change })).toMatch(message);
  });

  it("refuses runs of other text, and the place of a study of another kind", async () => {
    const text = readFileSync(at("text.jsonl"), "utf8");
    const shuffled = () => writeFileSync(at("text.jsonl"), text.trim().split("\n").reverse().join("\n"));
    expect(await goneOn("other-text", plan, shuffled)).toMatch(/is not the text that the run was begun with/);
    writeFileSync(at("text.jsonl"), text);
    mkdirSync(at("demo/trials"), { recursive: true });
    await expect(run(at("demo"))).rejects.toThrow(/holds a study of another kind/);
  });

  it("trains, converts, uptrains and compares; stopped, it goes on to the same numbers; it tells people", async () => {
    const results = (await run(at("whole"))) as ConversionResult[];
    expect(results.map(({ name }) => name)).toEqual([
      ...[
        "teacher",
        "teacher trained on",
        "scratch 2",
        "2 fit",
        "2 fit distilled",
        "search fit",
        "search fit distilled",
      ],
    ]);
    const [teacher, continued, fromScratch, converted] = results as [
      ...[ConversionResult, ConversionResult, ConversionResult, ConversionResult],
    ];
    expect(continued.before).toBe(teacher.after);
    expect(continued.tokens).toBe(converted.tokens);
    expect(fromScratch.tokens).toBe(teacher.tokens + converted.tokens);
    expect(converted.kvBytesPerToken).toBe(teacher.kvBytesPerToken / 2);
    for (const result of results.slice(5)) {
      expect(result.kvBytesPerToken).toBeLessThanOrEqual(converted.kvBytesPerToken);
      expect(owners(result.model.sharing).length).toBeLessThanOrEqual(2);
    }
    for (const { after, before, kind } of results) {
      expect(after).toBeGreaterThan(0);
      expect(before === undefined).toBe(kind === "teacher" || kind === "scratch");
    }

    const controller = new AbortController();
    let steps = 0;
    const stopped = await run(at("parts"), controller.signal, () => {
      if (++steps === 23) controller.abort(); // within uptraining
    });
    expect(stopped).toBeUndefined();
    expect(numbers(await run(at("parts")))).toEqual(numbers(results));

    const written = await writeConversionOutputs(at("out"), results, {
      plan,
      command: "again",
      versions: { node: "1" },
    });
    expect(written.map((path) => path.slice(at("out").length + 1))).toEqual([
      ...["report.html", "summary.md", "results.jsonl", "uptraining-2.svg", "uptraining-search.svg"],
    ]);
    const page = readFileSync(written[0] as string, "utf8");
    expect(page).toContain("<h1>Tiny &amp; quick</h1>");
    for (const line of conversionFindings(results)) expect(page).toContain(line.slice(0, 40).replaceAll("&", "&amp;"));
    expect(page.match(/<svg/g)?.length).toBeGreaterThanOrEqual(4);
    expect(readFileSync(written[1] as string, "utf8")).toContain(conversionMarkdown(results));
  }, 240_000);

  it("says how much was recovered: none, half, all of what the teacher has when it is trained on as well", () => {
    const [teacher, continued] = [{ after: 2 }, { after: 1 }] as [ConversionResult, ConversionResult];
    const result = (before: number, after: number) =>
      recovered({ before, after } as ConversionResult, teacher, continued);
    expect([result(4, 3), result(4, 2), result(4, 1)]).toEqual([0, 0.5, 1]);
    expect(result(2, 1)).toBeUndefined();
  });

  it("has a preset, and plans that are wrong are told so", async () => {
    expect((await loadConversionPlan("convert"))?.name).toBe("convert");
    expect(await loadConversionPlan("demo")).toBeUndefined();
    expect(() => conversionPlan({ ...conversionPreset, sharings: ["search"] })).toThrow(
      '"search" needs another sharing, whose KV bytes it keeps to',
    );
    expect(() => conversionPlan({ ...conversionPreset, sharings: ["9"] })).toThrow("sharing factor");
    expect(() => conversionPlan({ ...conversionPreset, steps: 3 })).toThrow("conversion plan");
  });
});
