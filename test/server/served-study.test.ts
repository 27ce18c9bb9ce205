// What the page is told of a study is what its report says.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { StudyReply } from "../../src/server/page-api.ts";
import { ServedStudy } from "../../src/server/served-study.ts";
import { conclude } from "../../src/study/numbers/conclusions.ts";
import { writeQuestion } from "../../src/study/numbers/question.ts";
import { appendResult } from "../../src/study/numbers/result.ts";
import { finding } from "../../src/study/report/finding.ts";
import { madeStudy } from "../study/numbers/made-results.ts";

const directory = mkdtempSync(join(tmpdir(), "crosslayer-served-study-"));
afterAll(() => rmSync(directory, { recursive: true }));

it("has the title of its plan and judges by the comparisons that were planned", async () => {
  const results = madeStudy({ "H64-MQA": 4.31, "H64-MQA-CLA2": 4.33, "H32-MQA": 4.4 }, { noise: 0.0001 });
  for (const result of results) await appendResult(join(directory, "results.jsonl"), result);
  const { study } = await ServedStudy.open(directory);
  const told = async () => JSON.parse((await study.reply()).body) as StudyReply;
  expect(await told()).toMatchObject({ title: basename(directory), finding: finding(conclude(results)) });

  const contrasts = [{ model: "H64-MQA-CLA2", against: "H64-MQA" }];
  await writeQuestion(directory, { title: "Half the KV cache?", contrasts });
  const planned = finding(conclude(results, contrasts));
  expect(planned).not.toEqual(finding(conclude(results)));
  expect(await told()).toMatchObject({ title: "Half the KV cache?", finding: planned });
});
