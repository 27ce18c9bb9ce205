// One sequence on an engine core that nobody else uses, on the caller's thread: for studies, tests and examples.

import type { CoreRequest, EngineCore, FinishReason } from "./core.ts";

/** Yields the tokens after a prompt and returns why they ended; leaving early frees the sequence's blocks. */
export async function* decode(core: EngineCore, request: CoreRequest): AsyncGenerator<number, FinishReason> {
  const id = core.add(request);
  try {
    for (;;) {
      for (const { sampled, finish, error } of await core.step()) {
        if (error) throw error;
        if (sampled) yield sampled.token;
        if (finish) return finish;
      }
    }
  } finally {
    core.cancel(id);
  }
}
