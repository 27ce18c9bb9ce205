// Server-sent events as the body of an answer. The stream asks for an event when the last one has gone out, so a slow reader
// holds nothing here. It gives up a reader that takes nothing for too long.

const encoder = new TextEncoder();

/** Headers of such an answer. */
export const eventStreamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no", // nginx would keep events back
} as const;

/** How a stream ends before its events do. */
export interface EventStreamOptions {
  /** Milliseconds in which a reader must take what was sent. */
  readonly patience: number;
  /** Told once when the reader has gone or was given up. */
  readonly onGone: () => void;
}

/** A stream of `data:` events, one for each text. */
export function eventStream(
  events: AsyncIterator<string>,
  { patience, onGone }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  let given = false; // whether an event waits to be taken
  let stalled: NodeJS.Timeout | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        given = false;
        const next = await events.next();
        if (next.done) {
          clearTimeout(stalled);
          controller.close();
          return;
        }
        controller.enqueue(encoder.encode(`data: ${next.value}\n\n`));
        given = true;
        stalled ??= setTimeout(() => {
          if (!given) return; // it waits for us
          const error = new Error(`the reader took nothing for ${patience} ms`);
          delete error.stack; // it is printed, and no defect
          controller.error(error);
          onGone();
        }, patience).unref();
        stalled.refresh();
      },
      cancel() {
        clearTimeout(stalled);
        onGone();
      },
    },
    { highWaterMark: 0 },
  );
}
