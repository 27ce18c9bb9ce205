// What a study asks, kept beside its results for whoever reads them: its title and the comparisons that it planned.

import { join } from "node:path";
import { z } from "zod";
import { writeAtomic } from "../../files/atomic-file.ts";
import { encodeJson, readJson } from "../../files/json-file.ts";

const schema = z.object({
  title: z.string(),
  contrasts: z.array(z.object({ model: z.string(), against: z.string(), margin: z.number().optional() })),
});

/** What a study asks. */
export type Question = z.output<typeof schema>;

/** The file of a study's question. */
export const questionPath = (directory: string) => join(directory, "question.json");

/** Keeps it in a study's directory. */
export async function writeQuestion(directory: string, question: Question): Promise<void> {
  await writeAtomic(questionPath(directory), [encodeJson(schema.parse(question))]);
}

/** What a study asks; undefined where its directory does not say. */
export async function readQuestion(directory: string): Promise<Question | undefined> {
  const found = await readJson(questionPath(directory)).catch(() => undefined);
  return schema.safeParse(found).data;
}
