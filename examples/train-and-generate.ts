// Trains a small model whose layers share their KV cache in pairs, then lets it write. Prints loss, perplexity, text.

import {
  Batches,
  decode,
  EngineCore,
  Evaluation,
  kvBytesPerToken,
  modelName,
  namedModel,
  openCorpus,
  openDevice,
  putAll,
  recipe,
  train,
} from "crosslayer";

const steps = Number(process.argv[2] ?? 200);
const directory = process.argv[3] ?? "runs/example";

const corpus = await openCorpus({ source: "sotu", vocab: 1024, directory });
using data = corpus.data;
const { tokenizer } = corpus;
const model = namedModel("H32-MQA-CLA2", { layers: 4, width: 64, mlpWidth: 160, vocab: tokenizer.vocab, context: 128 });
console.log(`${modelName(model)}: ${kvBytesPerToken(model, "float32")} bytes of KV cache per token`);

const plan = recipe({ steps, batch: 8, learningRate: 5e-3, seed: 1 });
const batches = new Batches(data.train, { batch: plan.microBatch, context: model.context, seed: plan.seed });
const device = await openDevice("cpu");
const training = train({ device, model, recipe: plan, batches });
let next = await training.next();
for (; !next.done; next = await training.next()) {
  const { step, loss } = next.value;
  if (step % 20 === 0 || step === steps) console.log(`step ${step}: loss ${loss.toFixed(3)}`);
}
const { weights } = next.value;

using evaluation = await Evaluation.create(device, model, data.validation);
const { perplexity, bitsPerByte } = await evaluation.full(putAll(device, weights));
console.log(`held-out perplexity ${perplexity.toFixed(1)}, ${bitsPerByte.toFixed(3)} bits per byte`);

using core = await EngineCore.create(device, model, weights, { kvMemory: 1 << 20 });
const { endOfText } = tokenizer;
const prompt = [endOfText, ...tokenizer.encode("Fellow citizens")];
const ids: number[] = [];
for await (const id of decode(core, { prompt, maxTokens: 40, stopTokens: [endOfText] })) ids.push(id);
console.log(`Fellow citizens${tokenizer.decode(ids)}`);
