// Student's t distribution, by jStat, the library that JavaScript's statistics pages use.

import jStat from "jstat";

/** The t below which a share `p` lies. */
export function tQuantile(p: number, degrees: number): number {
  return jStat.studentt.inv(p, degrees);
}

/** How often chance alone is as far from zero as `t`, on either side. */
export function tTwoSided(t: number, degrees: number): number {
  return 2 * jStat.studentt.cdf(-Math.abs(t), degrees);
}
