// How tokens are drawn: fields as texts, and what they mean, or what is wrong with them.

import { TextField } from "../parts/field.tsx";
import type { Sampling } from "../server/stream.ts";

/** What stands in the fields. */
export interface SamplingTexts {
  readonly maxTokens: string;
  readonly temperature: string;
  readonly topP: string;
  readonly seed: string;
}

/** What stands there at first. */
export const usualSampling: SamplingTexts = { maxTokens: "64", temperature: "0.8", topP: "0.95", seed: "" };

type Problems = Partial<Record<keyof SamplingTexts, string>>;

/** The fields' meaning, and a sentence for each that has none. */
export function samplingOf(texts: SamplingTexts): { sampling: Sampling; problems: Problems } {
  const sampling = {
    maxTokens: Number(texts.maxTokens || Number.NaN),
    temperature: Number(texts.temperature || Number.NaN),
    topP: Number(texts.topP || Number.NaN),
    seed: texts.seed.trim() === "" ? undefined : Number(texts.seed),
  };
  const { maxTokens, temperature, topP, seed } = sampling;
  const problems: Problems = {};
  if (!Number.isInteger(maxTokens) || maxTokens < 1) problems.maxTokens = "Give a whole number, 1 or more.";
  if (!(temperature >= 0 && temperature <= 2)) problems.temperature = "Give a number from 0 to 2.";
  if (!(topP > 0 && topP <= 1)) problems.topP = "Give a number above 0 and at most 1.";
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) {
    problems.seed = "Give a whole number, 0 or more, or nothing for a random one.";
  }
  return { sampling, problems };
}

/** The fields, folded away. */
export function Settings({ texts, onChange }: { texts: SamplingTexts; onChange: (texts: SamplingTexts) => void }) {
  const { problems } = samplingOf(texts);
  const field = (name: keyof SamplingTexts, label: string, placeholder = "") => (
    <TextField
      {...{ label, placeholder, numeric: true }}
      value={texts[name]}
      error={problems[name]}
      onChange={(value) => onChange({ ...texts, [name]: value })}
    />
  );
  return (
    <details class="settings">
      <summary>Settings</summary>
      <div class="fields">
        {field("maxTokens", "Max tokens")}
        {field("temperature", "Temperature")}
        {field("topP", "Top-p")}
        {field("seed", "Seed", "random")}
      </div>
    </details>
  );
}
