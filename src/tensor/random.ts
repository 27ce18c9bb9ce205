// Seeded pseudo-random numbers (xoshiro128**, seeded by splitmix32) that can be split by name, so that a parameter's
// initial values depend on the seed and its own name and not on what was drawn before it.

/** A reproducible stream of random numbers. The same seed gives the same stream on every platform. */
export class Random {
  #state: Uint32Array;

  constructor(seed: number | Uint32Array) {
    this.#state = typeof seed === "number" ? expand(seed) : Uint32Array.from(seed);
  }

  /** An independent stream named `name`; drawing from one never moves the other. */
  split(name: string): Random {
    let hash = 0x811c9dc5; // FNV-1a over the name, mixed with this stream's state
    for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
    const [a, b, c, d] = this.#state as unknown as [number, number, number, number];
    return new Random(expand((hash ^ a ^ Math.imul(b, 3) ^ Math.imul(c, 5) ^ Math.imul(d, 7)) >>> 0));
  }

  /** An integer in [0, 2³²). */
  uint32(): number {
    const s = this.#state;
    const s0 = s[0] as number; // by index: taking the array apart takes ten times as long
    const s1 = s[1] as number;
    const s2 = s[2] as number;
    const s3 = s[3] as number;
    const result = Math.imul(rotl(Math.imul(s1, 5), 7), 9) >>> 0;
    const t = s1 << 9;
    s[2] = s2 ^ s0;
    s[3] = s3 ^ s1;
    s[1] = s1 ^ (s[2] as number);
    s[0] = s0 ^ (s[3] as number);
    s[2] = (s[2] as number) ^ t;
    s[3] = rotl(s[3] as number, 11);
    return result;
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** An integer in [0, bound); unbiased to 2⁻⁵³. */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** A standard normal number (Box–Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fills `data` with what `deviation · normal()` gives, sooner. */
  fillNormal(data: Float32Array, deviation: number): void {
    // The state in numbers of its own, and `uniform` twice in line: the engine keeps all of it in registers.
    let [s0, s1, s2, s3] = Int32Array.from(this.#state) as unknown as [number, number, number, number];
    for (let i = 0; i < data.length; i++) {
      let radius = 0;
      for (let part = 0; part < 2; part++) {
        const high = Math.imul(rotl(Math.imul(s1, 5), 7), 9);
        let t = s1 << 9;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = rotl(s3, 11);
        const low = Math.imul(rotl(Math.imul(s1, 5), 7), 9);
        t = s1 << 9;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = rotl(s3, 11);
        const uniform = ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
        if (part === 0) radius = Math.sqrt(-2 * Math.log(1 - uniform));
        else data[i] = deviation * (radius * Math.cos(2 * Math.PI * uniform));
      }
    }
    this.#state.set([s0, s1, s2, s3]);
  }

  /** A random permutation of 0 … length − 1 (Fisher–Yates). */
  permutation(length: number): Uint32Array {
    const order = Uint32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j] as number, order[i] as number];
    }
    return order;
  }

  /** The four words from which `new Random(state)` continues this stream. */
  get state(): Uint32Array {
    return Uint32Array.from(this.#state);
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

function expand(seed: number): Uint32Array {
  let x = seed >>> 0;
  return Uint32Array.from({ length: 4 }, () => {
    x = (x + 0x9e3779b9) >>> 0;
    let z = x;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  });
}
