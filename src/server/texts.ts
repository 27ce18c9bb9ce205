// The texts of one request: several prompts, several texts of each, as one stream of chunks in the order they come. Knows no
// JSON.

import { setMaxListeners } from "node:events";
import type { Engine } from "../generate/engine.ts";
import type { Chunk, GenerateOptions, Prompt } from "../generate/request.ts";

/** What a prompt's generator gave: a chunk, its end, or an error. */
interface Step {
  readonly source: number;
  readonly result?: IteratorResult<Chunk, void>;
  readonly error?: unknown;
}

/** A chunk; its index counts through all prompts' texts. */
export async function* texts(
  engine: Engine,
  prompts: readonly Prompt[],
  options: GenerateOptions,
  signal: AbortSignal,
): AsyncGenerator<Chunk, void> {
  const [only] = prompts;
  if (prompts.length === 1 && only !== undefined) {
    yield* engine.generate(only, { ...options, signal });
    return;
  }
  const ended = new AbortController();
  setMaxListeners(prompts.length + 1, ended.signal);
  const stop = () => ended.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const { n = 1, seed = 0 } = options;
  const sources = prompts.map((prompt, i) => {
    return engine.generate(prompt, { ...options, seed: seed + i * n, signal: ended.signal });
  });
  const steps: Step[] = [];
  let wake = () => {};
  const advance = (source: number) => {
    const put = (step: Omit<Step, "source">) => {
      steps.push({ source, ...step });
      wake();
    };
    (sources[source] as (typeof sources)[number]).next().then(
      (result) => put({ result }),
      (error) => put({ error }),
    );
  };
  for (const source of sources.keys()) advance(source);
  try {
    for (let open = sources.length; open > 0; ) {
      const step = steps.shift();
      if (!step) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const { source, result, error } = step;
      if (!result) throw error;
      if (result.done) {
        open--;
        continue;
      }
      advance(source);
      yield { ...result.value, index: source * n + result.value.index };
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop(); // the others end as well
    await Promise.allSettled(sources.map((source) => source.return()));
  }
}
