import { expect, test } from "vitest";
import { parameterCount } from "../../../src/model/cost.ts";
import { planModel, studyPlan } from "../../../src/study/trials/plan.ts";

const input = {
  name: "x",
  data: { source: "sotu", vocab: 512 },
  family: { layers: 12, width: 256, mlpWidth: 704 },
  context: 64,
  models: ["H64-MQA", "H64-MQA-CLA2", "H32-MQA", "H64-MHA"],
  seeds: [1],
  learningRates: [0.01],
  recipe: { steps: 1 },
  contrasts: [{ model: "H64-MQA-CLA2", against: "H64-MQA" }],
};

const sizes = (plan: ReturnType<typeof studyPlan>) =>
  plan.models.map((name) => parameterCount(planModel(plan, name, 512)).nonEmbedding);

test("matched models have as many parameters as the largest, within half a step of the MLP", () => {
  const [plain, matched] = [studyPlan(input), studyPlan({ ...input, match: "parameters" })];
  const most = Math.max(...sizes(plain));
  expect(Math.min(...sizes(plain)) / most).toBeLessThan(0.9);
  for (const size of sizes(matched)) expect(Math.abs(size - most)).toBeLessThanOrEqual((3 * 256 * 12 * 8) / 2);
});

test("they are named with their MLP's width, in contrasts too; the largest keeps its name", () => {
  const plan = studyPlan({ ...input, match: "parameters" });
  expect(plan.models).toEqual(["H64-MQA-MLP832", "H64-MQA-CLA2-MLP856", "H32-MQA-MLP856", "H64-MHA"]);
  expect(plan.contrasts).toEqual([{ model: "H64-MQA-CLA2-MLP856", against: "H64-MQA-MLP832" }]);
  expect(planModel(plan, "H64-MQA-CLA2-MLP856", 512)).toMatchObject({
    mlpWidth: 856,
    sharing: [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10],
  });
  expect(studyPlan(plan)).toEqual(plan); // a plan that is matched is a plan
});

test("contrasts of models that are not in the plan are refused", () => {
  const contrasts = [{ model: "H64-MQA-CLA3", against: "H64-MQA" }];
  expect(() => studyPlan({ ...input, contrasts })).toThrow(
    /contrasts name "H64-MQA-CLA3".*did you mean H64-MQA-CLA2\?/,
  );
});
