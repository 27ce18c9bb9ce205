// Text to calibrate by: windows of tokens from many documents, all of one shape. Knows no model but its context.

import { InputError } from "../error.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Shard } from "../text/shard.ts";

/** How many tokens, in what shape. */
export interface WindowSizes {
  /** Tokens in all, at least. */
  readonly tokens: number;
  /** Tokens of a window. */
  readonly length: number;
  /** Windows at once. */
  readonly batch: number;
}

/** Windows that one document gives where there are enough: text of many documents says more than text of one. */
const windowsOfDocument = 4;

/**
 * Windows `[batch, length]` of documents' tokens, each document's beginning first.
 * @throws InputError where the documents are too short for one batch.
 */
export async function documentWindows(
  documents: AsyncIterable<ArrayLike<number>>,
  { tokens, length, batch }: WindowSizes,
): Promise<Tensor<"int32">[]> {
  const count = Math.ceil(tokens / (batch * length)) * batch;
  const rows: Int32Array[] = [];
  const spare: Int32Array[] = []; // more of long documents, where there are not enough
  let rest: number[] = []; // of documents shorter than a window
  for await (const document of documents) {
    const read = Array.from(document);
    const windows = Math.min(Math.floor(read.length / length), count);
    for (let i = 0; i < windows; i++) {
      const window = Int32Array.from(read.slice(i * length, (i + 1) * length));
      if (i < windowsOfDocument) rows.push(window);
      else if (spare.length < count) spare.push(window);
    }
    if (read.length < length) rest.push(...read);
    for (; rest.length >= length; rest = rest.slice(length)) rows.push(Int32Array.from(rest.slice(0, length)));
    if (rows.length >= count) break;
  }
  return batches([...rows, ...spare].slice(0, count), length, batch);
}

/** Windows spread evenly over a shard. @throws InputError where it is too short for one batch. */
export function shardWindows(shard: Shard, { tokens, length, batch }: WindowSizes): Tensor<"int32">[] {
  const most = Math.floor(shard.tokens / length);
  const count = Math.min(most, Math.ceil(tokens / (batch * length)) * batch);
  const rows = Array.from({ length: count }, (_, i) => shard.read(Math.floor((i * most) / count) * length, length));
  return batches(rows, length, batch);
}

function batches(rows: readonly Int32Array[], length: number, batch: number): Tensor<"int32">[] {
  const whole = Math.floor(rows.length / batch);
  if (whole === 0) {
    throw new InputError(
      `calibration: the text has ${rows.length * length} tokens in windows of ${length}, and ${batch * length} are needed at least; give more text`,
    );
  }
  return Array.from({ length: whole }, (_, i) => {
    const data = new Int32Array(batch * length);
    for (const [j, row] of rows.slice(i * batch, (i + 1) * batch).entries()) data.set(row, j * length);
    return { dtype: "int32", shape: [batch, length], data };
  });
}
