// The alphabet in which byte-level vocabularies are written: one printable character per byte (GPT-2's
// `bytes_to_unicode`). Knows no tokens and no merges.

const printable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

/** The character that stands for each of the 256 bytes: itself if printable, else one from U+0100 on. */
export const characterOf: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

const byteOf = new Map(characterOf.map((character, byte) => [character, byte]));

/** How a vocabulary writes `bytes`. */
export function spell(bytes: Iterable<number>): string {
  let token = "";
  for (const byte of bytes) token += characterOf[byte];
  return token;
}

/** The bytes that a vocabulary's entry stands for; undefined where it has a character outside the alphabet. */
export function unspell(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOf.get(token[i] as string);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
