// The part of jStat that is used; it comes without types.

declare module "jstat" {
  const jStat: {
    readonly studentt: {
      cdf(t: number, degrees: number): number;
      inv(p: number, degrees: number): number;
    };
  };
  export default jStat;
}
