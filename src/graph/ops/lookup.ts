// Operations that read or write elements by integer index (int32, in range: nothing checks it at run time).

import { value } from "../trace.ts";
import { describe, type Value } from "../value.ts";

/** Rows of `table [V, C]` at `indices […]`: `[…, C]`. */
export function gather(table: Value, indices: Value): Value {
  return value(
    "gather",
    [table, indices],
    {},
    { dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] },
  );
}

/** `table [V, C]` with `rows [N, C]` added at `indices [N]`; rows of equal index add up. */
export function scatterAdd(table: Value, indices: Value, rows: Value): Value {
  return value("scatterAdd", [table, indices, rows], {}, table);
}

/** One element of each row: `x [N, V]` at `indices [N]` gives `[N]`. */
export function pick(x: Value, indices: Value): Value {
  if (x.shape.length !== 2 || indices.shape.length !== 1) {
    throw new TypeError(`pick: needs a matrix and a vector, found ${describe(x)} and ${describe(indices)}`);
  }
  return value("pick", [x, indices], {}, { dtype: x.dtype, shape: indices.shape });
}

/** `x [N, V]` with `amounts [N]` added, one to each row, at `indices [N]`. */
export function pickAdd(x: Value, indices: Value, amounts: Value): Value {
  return value("pickAdd", [x, indices, amounts], {}, x);
}
