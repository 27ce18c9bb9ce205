// Models by name: the paper's scheme `H<head dim>-<MHA|GQA<n>|MQA>[-CLA<n>[-<pattern>]]` on a family of sizes, and
// `-MLP<width>` after it where the MLP is not the family's. A family is one of the paper's scales, or the one dial `depth`.

import { InputError, quoted } from "../error.ts";
import { checkLayers, type ModelConfig, type ModelOptions, modelConfig } from "./config.ts";
import { checkSharing, type Pattern, patterns, type Sharing, share, unshared } from "./sharing.ts";

/** What a name leaves open. */
export type Family = Pick<ModelConfig, "layers" | "width" | "mlpWidth" | "vocab"> & Partial<ModelConfig>;

/** The paper's two families (§5); heads × head dim = width but for H46 (45 heads) and H90 (22). */
export const scales = {
  "1b": { layers: 20, width: 2048, mlpWidth: 5472, vocab: 50304, context: 2048, initStd: 0.01275 },
  "3b": { layers: 32, width: 3072, mlpWidth: 8192, vocab: 50304, context: 2048, initStd: 0.01275 },
} as const satisfies Record<string, Family>;

/** The name of one of the paper's families. */
export type Scale = keyof typeof scales;

/** Sizes from one number: width 32·depth and SwiGLU's usual 8/3 of it, both in multiples of 32. */
export function depthFamily(depth: number, vocab: number, context: number): Family {
  if (!Number.isInteger(depth) || depth < 1 || depth > 128) {
    throw new InputError(`depth: must be a whole number of layers from 1 to 128, found ${depth}`);
  }
  const width = Math.max(64, 32 * depth);
  return { layers: depth, width, mlpWidth: Math.round((width * 8) / 3 / 32) * 32, vocab, context };
}

const scheme = /^H(\d+)-(MHA|MQA|GQA(\d+))(?:-CLA(?:\((\d+(?:,\d+)*)\)|(\d+)(?:-(?!MLP\d)(\w+))?))?(?:-MLP(\d+))?$/;

/** The model `name` in `family`. Throws an InputError that shows the scheme, or the value that would be right. */
export function namedModel(name: string, family: Family): ModelConfig {
  const match = scheme.exec(name);
  if (!match) {
    const right = rightCase(name);
    if (right !== undefined) throw new InputError(`model name: found ${quoted(name)}; did you mean ${right}?`);
    throw new InputError(
      `model name: found ${quoted(name)}; expected H<head dim>-<MHA|GQA<KV heads>|MQA>[-CLA<factor>[-<${patterns.slice(1).join("|")}>]][-MLP<width>], as in H64-MQA-CLA2`,
    );
  }
  const [, dim, kind, groups, list, factor, pattern, mlp] = match;
  checkLayers(family.layers);
  const headDim = Number(dim);
  const heads = family.heads ?? headCount(headDim, family.width);
  const kvHeads = kind === "MHA" ? heads : kind === "MQA" ? 1 : Number(groups);
  const sharing = list
    ? checkSharing(list.split(",").map(Number), family.layers)
    : factor
      ? share(family.layers, Number(factor), patternNamed(pattern))
      : unshared(family.layers);
  const mlpWidth = mlp === undefined ? family.mlpWidth : Number(mlp);
  return modelConfig({ ...family, headDim, heads, kvHeads, sharing, mlpWidth } satisfies ModelOptions);
}

/** A name of the scheme that is written in other cases; undefined for what is none. */
function rightCase(name: string): string | undefined {
  const written = name
    .toUpperCase()
    .replace(/(?<=-CLA\d+-)\w+$/, (typed) => patterns.find((pattern) => pattern.toUpperCase() === typed) ?? typed);
  return scheme.test(written) ? written : undefined;
}

/** A sharing as the command line writes it: a factor `2`, a pattern `2-KeepEnds`, or a list `0,0,2,2`. */
export function parseSharing(text: string, layers: number): Sharing {
  checkLayers(layers);
  if (/^\d+(,\d+)+$/.test(text)) return checkSharing(text.split(",").map(Number), layers);
  const match = /^(?:CLA)?(\d+)(?:-(\w+))?$/.exec(text);
  if (match) return share(layers, Number(match[1]), patternNamed(match[2]));
  throw new InputError(
    `sharing: found ${quoted(text)}; expected a factor (2), a pattern (2-KeepEnds) or a list (0,0,2,2)`,
  );
}

function headCount(headDim: number, width: number): number {
  if (width === 2048 && headDim === 46) return 45;
  if (width === 2048 && headDim === 90) return 22;
  if (headDim < 1 || width % headDim !== 0) {
    const near = [16, 24, 32, 48, 64, 96, 128, 256].filter((dim) => width % dim === 0);
    throw new InputError(
      `model name: head dim ${headDim} does not divide width ${width}; use ${near.join(", ") || width}`,
    );
  }
  return width / headDim;
}

function patternNamed(name: string | undefined): Pattern {
  if (name === undefined) return "even";
  const found = patterns.find((pattern) => pattern.toLowerCase() === name.toLowerCase());
  if (!found) throw new InputError(`sharing pattern: found ${quoted(name)}; expected one of ${patterns.join(", ")}`);
  return found;
}
