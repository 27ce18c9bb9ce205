// Parts of a tokenizer.json that all kinds of vocabulary have.

/** How an added token is found: as it stands. */
export const plainAdded = { single_word: false, lstrip: false, rstrip: false, normalized: false };

/** What puts a token before every text. */
export function beginsWith(id: number, text: string): object {
  return {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: text, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { [text]: { id: text, ids: [id], tokens: [text] } },
  };
}
