// A model by what a request calls it, or the answer that there is none.

import { ApiError } from "./api-error.ts";
import type { ServedModel } from "./served-model.ts";
import type { ServedModels } from "./served-models.ts";

/** @throws ApiError that lists what there is. */
export function modelOf(id: string, models: ServedModels): ServedModel {
  const model = models.get(id);
  if (model) return model;
  const known = models.all.map((served) => served.id);
  const listed = `${known.slice(0, 8).join(", ")}${known.length > 8 ? ", …" : ""}`;
  throw new ApiError(404, `model: there is no ${JSON.stringify(id.slice(0, 100))}; there is ${listed}`, {
    param: "model",
    code: "model_not_found",
  });
}
