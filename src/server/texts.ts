// The texts of one request: several prompts, several texts of each, as one stream of chunks in the order they come. Knows no
// JSON.

import type { Engine } from "../engine/engine.ts";
import type { Chunk, GenerateOptions, Prompt } from "../engine/request.ts";

/** A chunk; its index counts through all prompts' texts. */
export async function* texts(
  engine: Engine,
  prompts: readonly Prompt[],
  options: GenerateOptions,
  signal: AbortSignal,
): AsyncGenerator<Chunk, void> {
  const ended = new AbortController();
  const stop = () => ended.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const { n = 1, seed = 0 } = options;
  const sources = prompts.map((prompt, i) => {
    return engine.generate(prompt, { ...options, seed: seed + i * n, signal: ended.signal });
  });
  const nextOf = async (source: number) => {
    return { source, result: await (sources[source] as (typeof sources)[number]).next() };
  };
  const pending = new Map(sources.map((_, source) => [source, nextOf(source)]));
  try {
    while (pending.size > 0) {
      const { source, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(source);
        continue;
      }
      pending.set(source, nextOf(source));
      yield { ...result.value, index: source * n + result.value.index };
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop(); // the others end as well
    await Promise.allSettled(pending.values());
    await Promise.allSettled(sources.map((source) => source.return()));
  }
}
