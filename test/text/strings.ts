// Texts on which tokenizers break.

const family = "👨‍👩‍👧‍👦";

export const nastyStrings: readonly string[] = [
  "",
  " ",
  "   ",
  "\n",
  " \n \n  x",
  "a  b   c\t\td \r\n e\r\nf\r",
  "\0",
  "a\0b\u0001\u001f\u007f\u0080",
  family,
  `${family}${family} ${family}!`,
  "🏳️‍🌈 🇸🇪🇩🇪 👍🏽 ☺️ 1️⃣",
  "e\u0301 é ñ n\u0303 Z\u0351\u036b\u0343a\u0321l\u0322g\u0321o\u0322",
  "\u200d\u200b\ufeff\u2060",
  "\ufeffBOM first",
  "\ud83d",
  "\ude00 low first",
  "a\ud83db \udc00\ud800 c",
  "0 1 12 123 1234567890 3.14159 1e-9 ½ ² Ⅷ ٣٤ 二〇二四",
  "it's I'm we'll they've you're he'd IT'S I'M 'tis ''s 's's ' s",
  "don’t “quote” — dash – … ‹›",
  "中文分词没有空格。日本語のテキスト、한국어 문장",
  "שלום עולם \u200fمرحبا بالعالم\u200e ltr \u202ertl\u202c",
  "ไทยไม่มีช่องว่าง हिन्दी में लिखा",
  "<|endoftext|>",
  "before<|endoftext|>after <|endoftext|> <|endoftext|",
  "__proto__ constructor toString hasOwnProperty __proto__",
  "if (a[0] != b) { return /*x*/ `#{c}`; } // https://x.y/z?q=1&r=%20#h",
  "\u00a0nbsp\u00a0\u3000ideographic\u2028line\u2029paragraph\u0085next",
  "a".repeat(3000),
  "ab".repeat(1501),
  `${"word".repeat(500)} ${"9".repeat(400)}${"!?".repeat(300)}${" ".repeat(500)}x${"\n".repeat(300)}`,
  "Ġ Ċ ġ Ā ¡ ® ÿ Ŀ ł",
];

/** Some English, some code, some of everything else: enough to learn merges from. */
export const corpus: readonly string[] = [
  "The quick brown fox jumps over the lazy dog. The dog, being lazy, didn't mind; the fox's friends did.\n",
  "We the People of the United States, in Order to form a more perfect Union, establish Justice, insure domestic ",
  "function add(a, b) { return a + b; }\nfunction sub(a, b) { return a - b; }\n\n\n    indented    text\t\ttabs\r\n",
  "__proto__ __proto__ __proto__ constructor constructor toString <|endoftext|> <|endoftext|> 1234 1234 12 12 99 99",
  "中文 中文 日本語 日本語 👍👍👍 👨‍👩‍👧‍👦 👨‍👩‍👧‍👦 é é e\u0301 e\u0301 שלום שלום مرحبا مرحبا \ud83d \ud83d",
  "aaaa aaa aa a abab ababab abcabc bcbc abc aabc xabc aaaaaaaaaaaa banana bananas ananas mississippi missis",
];

/** `text` as UTF-8 has it: U+FFFD for lone surrogates. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
