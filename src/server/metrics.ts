// Prometheus metrics, by vLLM's names where there are such, so that its dashboards and alerts work; what only sharing has is
// called crosslayer:….

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { LoadedModel, ServedModels } from "./served-models.ts";

/** What a request turned out to be. */
export interface Finished {
  readonly model: string;
  readonly reason: "stop" | "length" | "abort" | "error";
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Tokens of its longest text. */
  readonly longest: number;
  /** Seconds from its arrival to the first token, and to the end. */
  readonly firstToken: number | undefined;
  readonly seconds: number;
}

const times = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160];
const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];

/** A server's metrics. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #success: Counter;
  readonly #rejected: Counter;
  readonly #prompts: Counter;
  readonly #generated: Counter;
  readonly #firstToken: Histogram;
  readonly #perToken: Histogram;
  readonly #whole: Histogram;
  readonly #promptSize: Histogram;
  readonly #writtenSize: Histogram;

  constructor(models: ServedModels) {
    const registers = [this.#registry];
    const histogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name, help, labelNames: ["model_name"], buckets, registers });
    this.#success = new Counter({
      name: "vllm:request_success_total",
      help: "Requests that ended, by reason.",
      labelNames: ["model_name", "finished_reason"],
      registers,
    });
    const counter = (name: string, help: string) => new Counter({ name, help, labelNames: ["model_name"], registers });
    this.#rejected = counter("crosslayer:requests_rejected_total", "Requests refused because the queue was full.");
    this.#prompts = counter("vllm:prompt_tokens_total", "Prompt tokens of requests that have ended.");
    this.#generated = counter("vllm:generation_tokens_total", "Tokens written.");
    this.#firstToken = histogram("vllm:time_to_first_token_seconds", "Arrival to first token.", times);
    this.#perToken = histogram("vllm:time_per_output_token_seconds", "Mean time of a token after the first.", times);
    this.#whole = histogram("vllm:e2e_request_latency_seconds", "Arrival to last token.", times);
    this.#promptSize = histogram("vllm:request_prompt_tokens", "Prompt tokens of requests.", sizes);
    this.#writtenSize = histogram("vllm:request_generation_tokens", "Tokens written for requests.", sizes);
    for (const [name, help, value] of gauges) {
      const labelNames = ["model_name"];
      const collect = function (this: Counter | Gauge) {
        this.reset();
        for (const model of models.loaded) this.inc({ model_name: model.id }, value(model));
      };
      if (name.endsWith("_total")) new Counter({ name, help, labelNames, registers, collect });
      else new Gauge({ name, help, labelNames, registers, collect });
    }
  }

  /** Counts tokens as they are written. */
  generated(model: string, tokens: number): void {
    this.#generated.inc({ model_name: model }, tokens);
  }

  /** Counts a request that has ended. */
  finished({ model, reason, promptTokens, completionTokens, longest, firstToken, seconds }: Finished): void {
    const label = { model_name: model };
    this.#prompts.inc(label, promptTokens);
    this.#success.inc({ ...label, finished_reason: reason });
    this.#whole.observe(label, seconds);
    this.#promptSize.observe(label, promptTokens);
    this.#writtenSize.observe(label, completionTokens);
    if (firstToken === undefined) return;
    this.#firstToken.observe(label, firstToken);
    if (longest > 1) this.#perToken.observe(label, (seconds - firstToken) / (longest - 1));
  }

  /** Counts a request that found the queue full. */
  rejected(model: string): void {
    this.#rejected.inc({ model_name: model });
  }

  /** All of them in Prometheus' text format. */
  async text(): Promise<{ type: string; body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}

/** What is read off the engines when somebody asks. */
const gauges: readonly (readonly [name: string, help: string, value: (model: LoadedModel) => number])[] = [
  ["vllm:num_requests_running", "Sequences that hold cache blocks.", ({ engine }) => engine.stats().running],
  ["vllm:num_requests_waiting", "Sequences that wait for cache blocks.", ({ engine }) => engine.stats().waiting],
  [
    "vllm:kv_cache_usage_perc",
    "Part of the cache blocks in use, 0 to 1.",
    ({ engine }) => engine.stats().blocks.used / engine.stats().blocks.total,
  ],
  ["vllm:num_preemptions_total", "Sequences that gave their blocks back.", ({ engine }) => engine.stats().preemptions],
  [
    "crosslayer:prefix_hit_rate",
    "Part of prompt tokens found in the cache.",
    ({ engine }) => engine.stats().prefixHitRate,
  ],
  ["crosslayer:kv_bytes", "Bytes allocated for keys and values.", ({ engine }) => engine.stats().kvBytes],
  ["crosslayer:kv_bytes_per_token", "Bytes of keys and values of a token.", ({ card }) => card.kvBytesPerToken],
  [
    "crosslayer:kv_bytes_per_token_unshared",
    "The same if no layer shared.",
    ({ card }) => card.unsharedKvBytesPerToken,
  ],
];
