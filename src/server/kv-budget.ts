// One amount of memory for the keys and values of several models: who gets how much of it. Pure arithmetic in bytes; knows
// no engine.

/** What an engine has and would like to have. */
export interface KvDemand {
  /** Bytes allocated now. */
  readonly allotted: number;
  /** Bytes of one block: the least it must have. */
  readonly block: number;
  /** Bytes of blocks in use, and of those that its waiting sequences take. */
  readonly used: number;
  readonly wanted: number;
  /** Bytes without which its next sequence cannot run, if that has waited so long that it must be let in; 0 if not. */
  readonly overdue: number;
}

/**
 * New allotments, of which the sum is at most `total`; undefined if nothing has to change: everyone has what it wants, or
 * its fair share. Max-min fair: who wants less than an equal share gets it all, the others share what is left equally, and
 * what nobody wants is divided equally, for what comes next. An overdue sequence goes before.
 */
export function divide(total: number, demands: readonly KvDemand[]): number[] | undefined {
  const least = demands.map(({ block }) => block);
  const wishes = demands.map(({ used, wanted, block }) => Math.max(block, used + wanted));
  const first = demands.findIndex(({ overdue }) => overdue > 0);
  const others = least.reduce((sum, block) => sum + block, 0) - (least[first] ?? 0);
  const floors = least.map((block, i) => {
    return i === first ? Math.max(block, Math.min((demands[i] as KvDemand).overdue, total - others)) : block;
  });
  const fair = fairShares(total, wishes, floors);
  const short = demands.some(({ allotted, block }, i) => allotted + block <= (fair[i] as number));
  const over = demands.reduce((sum, { allotted }) => sum + allotted, 0) > total;
  if (!short && !over) return undefined;
  const spare = (total - fair.reduce((sum, share) => sum + share, 0)) / demands.length;
  return fair.map((share) => Math.floor(share + spare));
}

/** Everyone's floor, and above it the largest equal level, or the wish where that is less. */
function fairShares(total: number, wishes: readonly number[], floors: readonly number[]): number[] {
  const shareAt = (level: number) => wishes.map((wish, i) => Math.max(floors[i] as number, Math.min(wish, level)));
  const sum = (shares: readonly number[]) => shares.reduce((all, share) => all + share, 0);
  if (sum(shareAt(Number.POSITIVE_INFINITY)) <= total) return shareAt(Number.POSITIVE_INFINITY);
  let [low, high] = [0, total];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (sum(shareAt(middle)) <= total) low = middle;
    else high = middle;
  }
  return shareAt(low);
}
