// A client's options as the C API takes them: an array of PJRT_NamedValue.

import type { PjrtApi } from "./api.ts";
import type { Args } from "./args.ts";

/** PJRT_NamedValue_Type. */
const namedTypes = { string: 0, int64List: 2, int64: 1, float: 3, boolean: 4 } as const;

/** Options of a client, by the names that the plugin knows; whole numbers are int64, others float. */
export type ClientOptions = Readonly<Record<string, string | number | boolean | readonly number[]>>;

/** Bytes of a PJRT_NamedValue. */
const valueBytes = 56;

/** The options, one struct after another. */
export function namedValues(api: PjrtApi, options: ClientOptions): Args {
  const list = Object.entries(options);
  const values = api.struct(Math.max(8, valueBytes * list.length));
  for (const [i, [name, value]] of list.entries()) writeNamed(values, valueBytes * i, name, value);
  return values;
}

/** Writes a PJRT_NamedValue at `offset`. */
function writeNamed(into: Args, offset: number, name: string, value: ClientOptions[string]): void {
  const bytes = new TextEncoder().encode(name);
  into
    .size(offset, 56)
    .pointer(offset + 16, bytes)
    .size(offset + 24, bytes.length)
    .size(offset + 48, 1);
  if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    into
      .int(offset + 32, namedTypes.string)
      .pointer(offset + 40, text)
      .size(offset + 48, text.length);
  } else if (typeof value === "boolean") {
    into.int(offset + 32, namedTypes.boolean).int(offset + 40, Number(value));
  } else if (typeof value !== "number") {
    into.int(offset + 32, namedTypes.int64List).pointer(offset + 40, BigInt64Array.from(value, BigInt));
    into.size(offset + 48, value.length);
  } else if (Number.isInteger(value)) {
    into.int(offset + 32, namedTypes.int64).size(offset + 40, value);
  } else {
    into.int(offset + 32, namedTypes.float).float(offset + 40, value);
  }
}
