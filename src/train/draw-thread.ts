// A thread that draws initial weights: see initial-weights.ts.

import { parentPort, workerData } from "node:worker_threads";
import { initialValue } from "../model/parameters.ts";
import { type Drawn, type Draws, weightStream } from "./initial-weights.ts";

const { seed, parameters } = workerData as Draws;
for (const parameter of parameters) {
  const { data } = initialValue(parameter, weightStream(seed));
  const answer: Drawn = { name: parameter.name, data: data as Drawn["data"] };
  parentPort?.postMessage(answer, [answer.data.buffer]);
}
