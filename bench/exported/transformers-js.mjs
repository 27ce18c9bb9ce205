// Writes on by transformers.js from exported ONNX folders: node bench/exported/transformers-js.mjs <folder> [dtype] [prompt].
// npm install @huggingface/transformers, beside this package or in it.

import { basename, dirname, resolve } from "node:path";
import { env, pipeline } from "@huggingface/transformers";

const [, , folder, dtype = "fp32", prompt = "My fellow Americans"] = process.argv;
env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));
const write = await pipeline("text-generation", basename(folder), { dtype });
const [{ generated_text }] = await write(prompt, { max_new_tokens: 16, do_sample: false });
console.log(`transformers.js ${env.version}: ${generated_text}`);
