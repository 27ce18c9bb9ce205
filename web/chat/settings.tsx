// How tokens are drawn and what stands before a chat: fields as texts, and what they mean, or what is wrong with them.

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
export const usualSampling: SamplingTexts = { maxTokens: "", temperature: "0.8", topP: "0.95", seed: "" };

type Problems = Partial<Record<keyof SamplingTexts, string>>;

/** The fields' meaning, and a sentence for each that has none. */
export function samplingOf(texts: SamplingTexts): { sampling: Sampling; problems: Problems } {
  const optional = (text: string) => (text.trim() === "" ? undefined : Number(text));
  const sampling = {
    maxTokens: optional(texts.maxTokens),
    temperature: Number(texts.temperature || Number.NaN),
    topP: Number(texts.topP || Number.NaN),
    seed: optional(texts.seed),
  };
  const { maxTokens, temperature, topP, seed } = sampling;
  const problems: Problems = {};
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens >= 1)) {
    problems.maxTokens = "Give a whole number, 1 or more, or nothing for all that fits.";
  }
  if (!(temperature >= 0 && temperature <= 2)) problems.temperature = "Give a number from 0 to 2.";
  if (!(topP > 0 && topP <= 1)) problems.topP = "Give a number above 0 and at most 1.";
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) {
    problems.seed = "Give a whole number, 0 or more, or nothing for a random one.";
  }
  return { sampling, problems };
}

/** The fields, folded away; the system prompt where `system` is given. */
export function Settings(props: {
  texts: SamplingTexts;
  onChange: (texts: SamplingTexts) => void;
  system: string | undefined;
  onSystem: (system: string) => void;
}) {
  const { texts, onChange, system, onSystem } = props;
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
      {system !== undefined && (
        <label class="field">
          <span>System prompt</span>
          <textarea
            rows={2}
            value={system}
            placeholder="none"
            onInput={(event) => onSystem(event.currentTarget.value)}
          />
        </label>
      )}
      <div class="fields">
        {field("maxTokens", "Max tokens", "what fits")}
        {field("temperature", "Temperature")}
        {field("topP", "Top-p")}
        {field("seed", "Seed", "random")}
      </div>
    </details>
  );
}
