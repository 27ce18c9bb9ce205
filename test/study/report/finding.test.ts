import { expect, test } from "vitest";
import { conclude } from "../../../src/study/numbers/conclusions.ts";
import { finding } from "../../../src/study/report/finding.ts";
import { madeStudy } from "../numbers/made-results.ts";

const losses = { "H64-MQA": 4.31, "H64-MQA-CLA2": 4.33, "H32-MQA": 4.4 };

const findingOf = (...study: Parameters<typeof conclude>) => finding(conclude(...study));

test("says first what is certain: a model, its twin without sharing, and what the same memory holds", () => {
  const [memory] = findingOf(madeStudy(losses, { seeds: [1] }));
  expect(memory).toBe(
    "H64-MQA-CLA2 keeps 2,048 bytes of keys and values per token instead of 4,096: the same memory holds 2× the tokens of H64-MQA.",
  );
});

test("says better or worse only where seeds tell it from chance", () => {
  const [, twin, equal] = findingOf(madeStudy(losses, { noise: 0.0001 }));
  expect(twin).toMatch(
    /^Validation perplexity is [\d.]+ ± [\d.]+ where H64-MQA has .*: sharing is worse by 0\.02\d ± 0\.000/,
  );
  expect(equal).toMatch(/^H32-MQA, with the same bytes and nothing shared, has .*: sharing is better by 0\.0\d+ ± /);
  const noisy = findingOf(madeStudy(losses, { noise: 0.2 }));
  expect(noisy[1]).toMatch(/3 seeds do not tell them apart \(H64-MQA-CLA2 [+−]/);
  const once = findingOf(madeStudy(losses, { seeds: [1] }));
  for (const line of once.slice(1)) expect(line).toContain("one seed tells nothing of chance");
});

test("names the text that perplexities are of", () => {
  const results = madeStudy(losses, { noise: 0.0001 });
  const tested = results.map((result) => ({ ...result, test: result.validation }));
  expect(findingOf(results)[1]).toMatch(/^Validation perplexity is /);
  expect(findingOf(tested)[1]).toMatch(/^Test perplexity is /);
});

test("tells what was planned as it was planned, with its interval", () => {
  const results = madeStudy(losses, { noise: 0.0001 });
  const planned = [{ model: "H64-MQA-CLA2", against: "H32-MQA" }];
  const [plain, asked] = [findingOf(results), findingOf(results, planned)];
  expect(asked.slice(0, 2)).toEqual(plain.slice(0, 2)); // what nobody planned is as before
  const [contrast] = conclude(results, planned).contrasts;
  const [low, high] = (contrast?.interval ?? []).map((value) => value.toFixed(3).replace("-", "−"));
  expect(asked[2]).toContain(
    `sharing is better over 3 seeds (${contrast?.difference.toFixed(3).replace("-", "−")} nats`,
  );
  expect(asked[2]).toContain(`95% ${low} to ${high})`);
  const turned = findingOf(results, [{ model: "H32-MQA", against: "H64-MQA-CLA2" }]);
  expect(turned).toEqual(asked); // the same, whichever is compared with the other
  const noisy = findingOf(madeStudy(losses, { noise: 0.2 }), planned);
  expect(noisy[2]).toMatch(/3 seeds do not tell them apart \([+−]\d.* 95% /);
});

test("of several that share takes the one nearest to its twin, and needs a twin", () => {
  expect(findingOf(madeStudy({ "H64-MQA-CLA4": 4.4, ...losses }))[0]).toMatch(/^H64-MQA-CLA2 keeps/);
  expect(findingOf(madeStudy({ "H64-MQA-CLA2": 4.4, "H32-MQA": 4.5 })).join()).not.toContain("instead of");
  expect(findingOf([])).toEqual(["There are no results yet."]);
});
