// From a run's directory to an engine that generates text.

import { RunDirectory } from "../checkpoint/run-directory.ts";
import { EngineCore } from "../engine/core.ts";
import { withContext } from "../model/config.ts";
import { kvBytesPerToken } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import { cpuName, openDevice } from "../runtime/open-device.ts";
import { type EngineInfo, engineOptions } from "./engine-options.ts";
import type { EngineStart } from "./messages.ts";
import { TextEngine } from "./text-engine.ts";

/** Opens a run. @throws InputError if there is none, it has no weights, or the options are wrong. */
export async function openRun({ run, options }: EngineStart): Promise<{ engine: TextEngine; info: EngineInfo }> {
  const { kvDtype, weights, context, ropeScaling, threads, stepTimeout: _, ...resolved } = engineOptions(options);
  const directory = await RunDirectory.open(run);
  const config = withContext(directory.config.model, context, ropeScaling);
  const { tensors } = await directory.loadModel();
  const tokenizer = directory.loadTokenizer();
  const device = await openDevice(cpuName(threads));
  const core = await EngineCore.create(device, config, tensors, { ...resolved, kvDtype, weights });
  const { kvBytes, blocks, blockSize } = core.stats();
  const info: EngineInfo = {
    name: modelName(config),
    config,
    kvDtype,
    weights,
    kvBytes,
    kvBytesPerToken: kvBytesPerToken(config, kvDtype),
    kvTokens: blocks.total * blockSize,
    longest: core.longest,
  };
  return { engine: new TextEngine(core, tokenizer), info };
}
