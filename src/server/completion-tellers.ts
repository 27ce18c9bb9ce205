// The two ways to tell a completion: whole, when it has ended, or as events while it is written.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Chunk } from "../generate/request.ts";
import { usageObject } from "./answers.ts";
import { apiError } from "./api-error.ts";
import type { Completion } from "./completion.ts";
import { eventStream, eventStreamHeaders } from "./event-stream.ts";

/** Tells all of it in one object. */
export async function tellWhole(completion: Completion): Promise<Response> {
  const { head, asked, written, fingerprint } = completion;
  for await (const _ of completion.chunks()); // the completion writes them down
  const choices: string[] = [];
  for (const [index, text] of written.entries()) {
    choices.push(JSON.stringify(asked.choice(index, text)));
    await nextTurn(); // many texts with log-probabilities are megabytes: others are served in between
  }
  const before = JSON.stringify({ ...head, object: asked.objects.whole }).slice(0, -1);
  const after = JSON.stringify({ usage: usageObject(completion.usage), system_fingerprint: fingerprint }).slice(1);
  const body = `${before},"choices":[${choices.join(",")}],${after}`;
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** Tells it as server-sent events to a reader that must take each within `patience` milliseconds. */
export async function tellEvents(completion: Completion, patience: number): Promise<Response> {
  const chunks = completion.chunks();
  const first = await chunks.next(); // awaited, so that what is wrong with a request is told by its status
  const events = eventsOf(completion, first, chunks);
  const onGone = () => {
    completion.abandon();
    void events.return(); // a stream that nobody began to read has nobody else to end it
    void chunks.return();
  };
  return new Response(eventStream(events, { patience, onGone }), { headers: eventStreamHeaders });
}

/** The events, without their `data:`. */
async function* eventsOf(
  completion: Completion,
  first: IteratorResult<Chunk, void>,
  chunks: AsyncGenerator<Chunk, void>,
): AsyncGenerator<string, void> {
  const { head, request, asked } = completion;
  const { include_usage: last = false, continuous_usage_stats: always = false } = request.stream_options ?? {};
  // There is an event for every token of everybody: what is the same in all of them is written once.
  const same = JSON.stringify({
    ...head,
    object: asked.objects.event,
    system_fingerprint: completion.fingerprint,
  }).slice(0, -1);
  let told = 0; // tokens of all texts, when an event last counted them
  const used = (isOpening: boolean): string => {
    if (!(last && always)) return last ? ',"usage":null' : "";
    const { usage } = completion;
    if (!isOpening) told = usage.completionTokens;
    return `,"usage":${JSON.stringify(usageObject({ ...usage, completionTokens: told }))}`; // an opening has no token yet
  };
  const event = (choice: object, isOpening = false) =>
    `${same},"choices":[${JSON.stringify(choice)}]${used(isOpening)}}`;
  const opened = new Set<number>();
  const offsets = completion.written.map(() => 0); // characters of the tokens told
  try {
    for (let next = first; !next.done; next = await chunks.next()) {
      const { index, text, logprobs = [], finishReason } = next.value;
      if (!opened.has(index)) {
        opened.add(index);
        const prompt = next.value.promptLogprobs ?? [];
        const opening = asked.opening(index, prompt);
        if (opening) yield event(opening, true);
        for (const token of prompt) offsets[index]! += token.text.length;
      }
      if (text === "" && logprobs.length === 0 && !finishReason) continue; // part of a character, or of a stop text
      const delta = asked.delta(index, { text, logprobs, finishReason }, offsets[index] as number);
      if (delta) yield event(delta);
      for (const token of logprobs) offsets[index]! += token.text.length;
    }
    if (last) yield `${same},"choices":[],"usage":${JSON.stringify(usageObject(completion.usage))}}`;
  } catch (error) {
    yield JSON.stringify(apiError(error).body);
  } finally {
    await chunks.return();
  }
  yield "[DONE]";
}
