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
  /** Bytes that it must have, whatever is fair: of one engine at most; 0 of the others. */
  readonly claim: number;
}

/**
 * New allotments, of which the sum is at most `total`; undefined if nothing has to change: everyone has what it wants, or
 * its fair share. Max-min fair: who wants less than an equal share gets it all, the others share what is left equally, and
 * what nobody wants is divided equally, for what comes next. A claim goes before.
 */
export function divide(total: number, demands: readonly KvDemand[]): number[] | undefined {
  const wishes = demands.map(({ used, wanted, block }) => Math.max(block, used + wanted));
  const blocks = demands.reduce((sum, { block }) => sum + block, 0);
  const floors = demands.map(({ block, claim }) => Math.max(block, Math.min(claim, total - (blocks - block))));
  const fair = fairShares(total, wishes, floors);
  const short = demands.some(({ allotted, block }, i) => allotted + block <= (fair[i] as number));
  const over = demands.reduce((sum, { allotted }) => sum + allotted, 0) > total;
  if (!short && !over) return undefined;
  const spare = (total - fair.reduce((sum, share) => sum + share, 0)) / demands.length;
  return fair.map((share) => Math.floor(share + spare));
}

/** Equal shares for engines of which nothing is known yet but their blocks. */
export function equalShares(total: number, blocks: readonly number[]): number[] {
  return fairShares(
    total,
    blocks.map(() => Number.POSITIVE_INFINITY),
    blocks,
  );
}

/** Everyone's floor, and above it the largest equal level, or the wish where that is less. */
function fairShares(total: number, wishes: readonly number[], floors: readonly number[]): number[] {
  const shareAt = (level: number) => wishes.map((wish, i) => Math.max(floors[i] as number, Math.min(wish, level)));
  const sum = (shares: readonly number[]) => shares.reduce((all, share) => all + share, 0);
  if (sum(wishes) <= total) return shareAt(Number.POSITIVE_INFINITY);
  let [low, high] = [0, total];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (sum(shareAt(middle)) <= total) low = middle;
    else high = middle;
  }
  return shareAt(low);
}
