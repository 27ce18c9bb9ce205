// The types that exported weights can have: kept as the run has them, or rounded to another.

import { bytesOf, type StoredType } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../error.ts";
import { toBfloat16, toFloat16 } from "../tensor/half.ts";
import { type ModelWeights, numbersOf, type StoredTensor, widened } from "./model-weights.ts";

/** The types of floating point by the names that PyTorch has for them. */
const types = { float32: "F32", bfloat16: "BF16", float16: "F16" } as const satisfies Record<string, StoredType>;

/** What weights can be exported in. */
export type FloatDtype = keyof typeof types;
export const floatDtypes = Object.keys(types) as FloatDtype[];

/** The weights in `dtype`; as they are if none is asked, but float32 where 8 bits are stored, which PyTorch cannot add. */
export function withDtype({ config, tensors }: ModelWeights, dtype: FloatDtype | undefined): ModelWeights {
  const told = ([name, tensor]: readonly [string, StoredTensor]) =>
    [name, dtype ? rounded(name, tensor, dtype) : bytesOf(tensor.stored, 1) === 1 ? widened(tensor) : tensor] as const;
  return { config, tensors: new Map([...tensors].map(told)) };
}

/** The type that holds all of these: theirs if it is one, otherwise float32. */
export function dtypeOf(tensors: Iterable<{ readonly stored: StoredType }>): FloatDtype {
  const stored = new Set([...tensors].map(({ stored }) => stored));
  const one = floatDtypes.find((name) => stored.has(types[name]));
  return stored.size === 1 && one ? one : "float32";
}

function rounded(name: string, tensor: StoredTensor, dtype: FloatDtype): StoredTensor {
  const stored = types[dtype];
  if (tensor.stored === stored) return tensor;
  if (dtype === "float32") return widened(tensor);
  const narrow = dtype === "bfloat16" ? toBfloat16 : toFloat16;
  return {
    ...{ stored, shape: tensor.shape },
    bytes: async () => {
      const numbers = await numbersOf(tensor);
      const bits = Uint16Array.from(numbers, narrow);
      const lost =
        dtype === "float16" ? numbers.findIndex((x, i) => Number.isFinite(x) && isInfinite(bits[i] as number)) : -1;
      if (lost < 0) return new Uint8Array(bits.buffer);
      throw new InputError(`${name}: ${numbers[lost]} is beyond float16; export in bfloat16 or float32`);
    },
  };
}

const isInfinite = (float16: number) => (float16 & 0x7fff) === 0x7c00;
