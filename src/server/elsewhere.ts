// Endpoints of the OpenAI API that are not here, each with what to use instead: clients that ask for them are told, as some
// do so unless they are told otherwise.

import { ApiError } from "./api-error.ts";

const chat = "use POST /v1/chat/completions";

/** By the beginning of the path. */
const instead: Readonly<Record<string, string>> = {
  "/v1/responses":
    `the Responses API is not served; ${chat} (in the AI SDK provider.chat(model), or @ai-sdk/openai-compatible; ` +
    'in the Agents SDK setOpenAIAPI("chat_completions"))',
  "/v1/embeddings":
    "these models give no embeddings; they write text, by POST /v1/completions and /v1/chat/completions",
  "/v1/messages": `the Messages API is not served; ${chat}`,
  "/v1/assistants": `assistants are not served; ${chat}`,
  "/v1/threads": `threads are not served; ${chat} with the messages so far`,
  "/v1/batches": "batches are not served; POST /v1/completions takes up to 128 prompts at once",
  "/v1/files": "files are not served; send the text itself",
  "/v1/moderations": "these models do not moderate; they write text",
  "/v1/audio": "these models read and write text alone",
  "/v1/images": "these models read and write text alone",
  "/v1/fine_tuning": "models are trained by `crosslayer train`, not by the server",
};

/** The answer at a path that is not here and that clients know; undefined for any other. */
export function elsewhere(path: string): ApiError | undefined {
  const [, sentence] = Object.entries(instead).find(([begin]) => path === begin || path.startsWith(`${begin}/`)) ?? [];
  return sentence === undefined
    ? undefined
    : new ApiError(404, `${path.slice(0, 200)}: ${sentence}`, { code: "not_here" });
}
