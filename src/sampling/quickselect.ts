// The greatest of weighted values, without sorting them. Knows no tokens.

/** The value at which the weights of `count` values, the greatest's first, reach `need`; puts those up to it first. */
export function select(values: Float32Array, weights: Float64Array, count: number, need: number): number {
  let [low, high, rest] = [0, count - 1, need];
  while (low < high) {
    const pivot = values[(low + high) >>> 1]!;
    let [i, j, sum] = [low, high, 0];
    for (; ; i++, j--) {
      while (values[i]! > pivot) sum += weights[i++]!;
      while (values[j]! < pivot) j--;
      if (i >= j) break;
      const [value, weight] = [values[i]!, weights[i]!];
      [values[i], weights[i]] = [values[j]!, weights[j]!];
      [values[j], weights[j]] = [value, weight];
      sum += weights[i]!;
    }
    if (i === j) sum += weights[j]!; // low … j are at least the pivot, the rest at most
    if (rest <= sum) high = j;
    else [low, rest] = [j + 1, rest - sum];
  }
  return values[low]!;
}
