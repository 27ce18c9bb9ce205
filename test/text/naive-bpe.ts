// Byte-pair encoding as textbooks have it: every pair of every word counted again before every merge, every merge tried
// in turn. Shares no code with src/text.

const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface NaiveBpe {
  /** The bytes of each token in latin1; id 0 is the end of text. */
  tokens: string[];
  merges: [number, number][];
}

const wordsOf = (text: string) => (text.match(pattern) ?? []).map((word) => [...Buffer.from(word)].map((b) => b + 1));

function replace(word: number[], left: number, right: number, result: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      out.push(result);
      i++;
    } else out.push(word[i] as number);
  }
  return out;
}

/** Stops early where no pairs are left. */
export function naiveTrain(texts: readonly string[], vocab: number): NaiveBpe {
  let words = texts.flatMap(wordsOf);
  const tokens = ["<end>", ...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))];
  const merges: [number, number][] = [];
  while (tokens.length < vocab) {
    const counts: Record<string, number> = {};
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const key = `${word[i]},${word[i + 1]}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
    const ranked = Object.entries(counts).map(([key, count]) => [...key.split(",").map(Number), count]);
    ranked.sort((a, b) => b[2]! - a[2]! || a[0]! - b[0]! || a[1]! - b[1]!);
    const [best] = ranked;
    if (!best) break;
    const [left, right] = best as [number, number, number];
    const spelled = tokens[left]! + tokens[right]!;
    if (!tokens.includes(spelled, 1)) tokens.push(spelled);
    const result = tokens.indexOf(spelled, 1);
    if (!merges.some(([a, b]) => a === left && b === right)) merges.push([left, right]);
    words = words.map((word) => replace(word, left, right, result));
  }
  return { tokens, merges };
}

/** The merge of lowest rank that the word has, leftmost first, until it has none. */
export function naiveEncode({ tokens, merges }: NaiveBpe, text: string): number[] {
  return wordsOf(text).flatMap((word) => {
    let ids = word;
    for (;;) {
      const found = merges.find(([a, b]) => ids.some((id, i) => id === a && ids[i + 1] === b));
      if (!found) return ids;
      const at = ids.findIndex((id, i) => id === found[0] && ids[i + 1] === found[1]);
      const result = tokens.indexOf(tokens[found[0]]! + tokens[found[1]]!, 1);
      ids = [...ids.slice(0, at), result, ...ids.slice(at + 2)];
    }
  });
}
