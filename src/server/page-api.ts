// What the page asks of the server beside the OpenAI endpoints, and what it gets: plain data, as types alone. The page
// imports them from here, so the two cannot drift apart.

import type { EngineStats } from "../engine/stats.ts";
import type { ModelConfig } from "../model/config.ts";
import type { KvDtype, WeightDtype } from "../model/formats.ts";
import type { CurvePoint, Result } from "../study/numbers/result.ts";
import type { SummaryRow } from "../study/numbers/summary.ts";
import type { Estimate } from "../tensor/estimate.ts";

/** `GET /api/models`: what can be chosen. */
export interface ModelsReply {
  readonly models: readonly ModelCard[];
  /** Whether a study is served. */
  readonly study: boolean;
  /** Bytes of keys and values for all models together. */
  readonly kvMemory: number;
}

/** A model and what its cache costs. */
export interface ModelCard {
  /** What requests call it: the field `model`. */
  readonly id: string;
  /** Its name in the paper's scheme. */
  readonly name: string;
  readonly config: ModelConfig;
  readonly kvDtype: KvDtype;
  readonly weights: WeightDtype;
  readonly parameters: { readonly total: number; readonly nonEmbedding: number };
  readonly kvBytesPerToken: number;
  /** Of the same model in which every layer keeps its own keys and values. */
  readonly unsharedKvBytesPerToken: number;
  /** Tokens of a cache block: memory is taken in whole blocks. */
  readonly blockSize: number;
  /** Whether it has a chat template of its own; a base model gets a plain one. */
  readonly chat: boolean;
  /** Whether it is in memory; others are loaded when they are first asked. */
  readonly loaded: boolean;
}

/** `POST /api/models/<id>/load`: the model's card, when it is in memory. */
export type LoadReply = ModelCard;

/** `GET /api/stats?since=<time>`: how the engines stand, and samples taken since, at most ten minutes of them. */
export interface StatsReply {
  /** Milliseconds since 1970, of the server. */
  readonly time: number;
  readonly kvMemory: number;
  /** By model id; models that are not loaded are left out. */
  readonly models: Readonly<Record<string, EngineStats>>;
  readonly history: readonly StatsSample[];
}

/** One second of the past. */
export interface StatsSample {
  readonly time: number;
  /** By model id: totals of tokens since the start, and what was there at the time. */
  readonly models: Readonly<
    Record<string, Pick<EngineStats, "running" | "waiting" | "kvBytesUsed" | "prefillTokens" | "decodeTokens">>
  >;
}

/** `GET /api/study`: a study as it stands; 404 if none is served. */
export interface StudyReply {
  readonly title: string;
  /** What it found so far, in sentences; none before the first run has finished. */
  readonly finding: readonly string[];
  /** Finished runs, each with the id by which its model can be asked, if its weights are kept. */
  readonly results: readonly (Result & { readonly id?: string })[];
  /** A row per model, at its best learning rate; none before the first run has finished. */
  readonly summary: readonly Omit<SummaryRow, "runs">[];
  /** Validation loss by model and learning rate. */
  readonly sweep: readonly { readonly name: string; readonly rate: number; readonly loss: Estimate }[];
  /** Runs that have begun and not finished. */
  readonly live: readonly LiveRun[];
}

/** A run that is under way, or was stopped. */
export interface LiveRun {
  readonly name: string;
  readonly learningRate: number;
  readonly seed: number;
  readonly model: Pick<ModelConfig, "sharing">;
  /** Steps it will take. */
  readonly steps: number;
  readonly curve: readonly CurvePoint[];
}
