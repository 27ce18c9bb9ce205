// What fits, as `crosslayer plan` computes it: the form's texts, the request they make, and the numbers. One device, no
// reserve, blocks of the planner's size. Knows no page.

import type { ModelConfig } from "../../src/model/config.ts";
import { parameterCount, unsharedTwin } from "../../src/model/cost.ts";
import type { KvFormat, WeightFormat } from "../../src/model/formats.ts";
import { blockSize } from "../../src/plan/kv-blocks.ts";
import { memorySize } from "../../src/plan/memory-size.ts";
import { type Capacity, capacityOf, type PlanRequest, servingPlan } from "../../src/plan/serving-plan.ts";
import { tensorSplit } from "../../src/plan/tensor-parallel.ts";

/** What stands in the form. */
export interface PlanTexts {
  readonly memory: string;
  readonly context: string;
  readonly batch: string;
  readonly kvDtype: KvFormat;
  readonly weights: WeightFormat;
}

/** A model's numbers. */
export interface Side {
  readonly parameters: number;
  readonly capacity: Capacity;
}

/** A plan, beside the same model without sharing. */
export interface Planned {
  readonly request: PlanRequest;
  readonly shared: Side;
  readonly unshared: Side;
}

/** What is wrong with the form, by field. */
export type Problems = Partial<Record<"memory" | "context" | "batch", string>>;

/** The plan for a model; what is wrong where there is none. */
export function planned(model: ModelConfig, texts: PlanTexts): { plan?: Planned; problems: Problems } {
  const problems: Problems = {};
  const attempt = <T>(field: keyof Problems, make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      problems[field] = (error as Error).message;
      return undefined;
    }
  };
  const memory = attempt("memory", () => memorySize(texts.memory));
  const context = attempt("context", () => count("context", texts.context));
  const batch = attempt("batch", () => count("batch", texts.batch));
  if (memory === undefined || context === undefined || batch === undefined) return { problems };
  const { kvDtype, weights } = texts;
  const tensor = tensorSplit(model, 1);
  const request: PlanRequest = { memory, reserve: 0, context, batch, kvDtype, weights, tensor, cuts: [], blockSize };
  const found = attempt("memory", () => servingPlan(model, request));
  if (!found) return { problems };
  const twin = unsharedTwin(model);
  const sideOf = (config: ModelConfig, capacity: Capacity) => ({ parameters: parameterCount(config).total, capacity });
  return {
    plan: {
      request,
      shared: sideOf(model, found.capacity),
      unshared: sideOf(twin, found.unshared ?? capacityOf(twin, request)),
    },
    problems,
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= 1) return value;
  throw new Error(`${name}: found "${text}"; expected a whole number, 1 or more`);
}
