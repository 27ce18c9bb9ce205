// The public API for Node: what a program imports from "crosslayer". Re-exports only.

export { sharingPicture } from "./charts/sharing-picture.ts";
export { RunDirectory } from "./checkpoint/run-directory.ts";
export { openSafetensors, type SafetensorsFile } from "./checkpoint/safetensors.ts";
export { type CoreRequest, EngineCore, type FinishReason } from "./engine/core.ts";
export type { CoreOptions } from "./engine/core-options.ts";
export { decode } from "./engine/decode.ts";
export type { EngineStats } from "./engine/stats.ts";
export { InputError } from "./error.ts";
export { Evaluation } from "./eval/evaluation.ts";
export { type Perplexity, perplexity, rollingWindows, type ScoredDocument } from "./eval/perplexity.ts";
export { Scorer, type Window, type WindowScorer } from "./eval/scorer.ts";
export type { ForeignCheckpoint } from "./foreign/foreign-checkpoint.ts";
export { huggingFaceModel, readHuggingFaceConfig } from "./foreign/hugging-face-config.ts";
export { type Imported, type ImportOptions, importModel } from "./foreign/import-model.ts";
export { openCheckpoint } from "./foreign/open-checkpoint.ts";
export { Engine, EngineCrash } from "./generate/engine.ts";
export type { EngineInfo, EngineOptions } from "./generate/engine-options.ts";
export type { Chunk, GenerateOptions, Prompt, TokenLogprob } from "./generate/request.ts";
export type { KvMemory } from "./kv/kv-memory.ts";
export { PagedMemory } from "./kv/paged-memory.ts";
export { type ModelConfig, type ModelOptions, modelConfig } from "./model/config.ts";
export { flopsPerToken, kvBytesPerToken, parameterCount, unsharedTwin } from "./model/cost.ts";
export { modelName } from "./model/model-name.ts";
export { depthFamily, type Family, namedModel, parseSharing, type Scale, scales } from "./model/name.ts";
export { initialize, type Parameter, parameters } from "./model/parameters.ts";
export {
  checkSharing,
  group,
  owners,
  type Pattern,
  type Sharing,
  share,
  sharingName,
  unshared,
} from "./model/sharing.ts";
export { kvBlockBytes, kvBlocks, longestContext, sequencesThatFit } from "./plan/kv-blocks.ts";
export { type PlanRequest, type ServingPlan, servingPlan } from "./plan/serving-plan.ts";
export type { Buffer, Buffers, CompileOptions, Device, Program, Traits } from "./runtime/device.ts";
export { putAll, readAll } from "./runtime/device.ts";
export { openDevice } from "./runtime/open-device.ts";
export type { Sampling } from "./sampling/sampling.ts";
export { HttpServer, type ListenOptions } from "./server/http-server.ts";
export { ServedModels, type ServedModelsOptions, type ServedRun } from "./server/served-models.ts";
export { ServedStudy } from "./server/served-study.ts";
export { type Conclusions, conclude } from "./study/numbers/conclusions.ts";
export { paretoFront } from "./study/numbers/pareto.ts";
export { type Result, readResults } from "./study/numbers/result.ts";
export { type SummaryRow, summarize } from "./study/numbers/summary.ts";
export { writeOutputs } from "./study/report/outputs.ts";
export { report } from "./study/report/report.ts";
export { loadPlan, type StudyPlan, type StudyPlanInput, studyPlan } from "./study/trials/plan.ts";
export { presets } from "./study/trials/presets.ts";
export { type StudyEvent, sweep as study } from "./study/trials/sweep.ts";
export type { Tensor, Tensors } from "./tensor/tensor.ts";
export { Batches } from "./text/batches.ts";
export { trainBpe } from "./text/bpe-training.ts";
export { type Corpus, type CorpusOptions, openCorpus } from "./text/corpus.ts";
export { prepareDataset, trainTokenizer } from "./text/dataset.ts";
export { Detokenizer } from "./text/detokenizer.ts";
export { openSource, type Source } from "./text/source.ts";
export { loadTokenizer, type Tokenizer, type TokenizerOptions } from "./text/tokenizer.ts";
export { openTokenizer, saveTokenizer } from "./text/tokenizer-file.ts";
export { type Recipe, type RecipeOptions, recipe } from "./train/recipe.ts";
export { Trainer } from "./train/trainer.ts";
export { DivergedError, type TrainOptions, type TrainStep, train } from "./train/training.ts";
