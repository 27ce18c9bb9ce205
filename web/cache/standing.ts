// How an engine stands, as far as it is shown; of a model that is not in memory, what its config says.

import type { EngineStats } from "../../src/engine/stats.ts";
import type { ModelCard } from "../../src/server/page-api.ts";

/** What a card shows of an engine. */
export type Standing = Pick<
  EngineStats,
  | "blocks"
  | "blockSize"
  | "kvBytes"
  | "kvBytesUsed"
  | "running"
  | "waiting"
  | "decodeRate"
  | "prefixHitRate"
  | "preemptions"
  | "latency"
>;

/** An engine with `memory` bytes for keys and values that nobody has asked yet. */
export function idleStanding({ blockSize, kvBytesPerToken }: ModelCard, memory: number): Standing {
  const total = Math.floor(memory / (blockSize * kvBytesPerToken));
  return {
    blocks: { total, used: 0, cached: 0, free: total, shared: 0 },
    blockSize,
    kvBytes: total * blockSize * kvBytesPerToken,
    kvBytesUsed: 0,
    ...{ running: 0, waiting: 0, decodeRate: 0, prefixHitRate: 0, preemptions: 0 },
    latency: {},
  };
}
