// The thread that reads large bodies for json-body.ts.

import { parentPort } from "node:worker_threads";
import { BodyError, packed, parsedBody, type ThreadAnswer } from "./json-body.ts";

parentPort?.on("message", (bytes: ArrayBuffer) => {
  let answer: ThreadAnswer;
  try {
    answer = { body: packed(parsedBody(new Uint8Array(bytes))) };
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    answer = { problem: error.message, field: error.field };
  }
  parentPort?.postMessage(answer, arraysOf(answer));
});

/** The memory of the arrays of an answer, which goes over with it. */
function arraysOf(answer: ThreadAnswer): ArrayBuffer[] {
  const values = "body" in answer ? Object.values(answer.body) : [];
  return values.flat().flatMap((value) => (value instanceof Uint32Array ? [value.buffer as ArrayBuffer] : []));
}
