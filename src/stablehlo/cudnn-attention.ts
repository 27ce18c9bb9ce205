// Causal attention as XLA's CUDA back end takes it: an opaque call that cuDNN's fused kernels compute.

import type { Body, Ref } from "./body.ts";
import { type BatchMesh, splitBatch } from "./sharding.ts";
import { type Type, typesText } from "./text.ts";

/** What the forward pass kept, and the gradient of its output. */
export interface Kept {
  readonly out: Ref;
  readonly statistics: Ref;
  readonly gradient: Ref;
}

/** The widest head that cuDNN takes on every card; from compute capability 9.0 (Hopper) on it takes 256. */
export const widestHead = 128;

/** Heads are widths of 8: narrower ones are filled up with zeros, which change neither scores nor outputs. */
const headStep = 8;

/** True of queries that cuDNN's kernel takes where its heads may be `widest` wide. */
export function cudnnTakes({ dtype, shape }: Type, widest: number): boolean {
  return dtype === "bfloat16" && (shape[3] as number) <= widest;
}

/** The output `[B, T, H, D]` and the row statistics float32 `[B, H, T]`. */
export function cudnnAttention(
  body: Body,
  given: readonly [Ref, Ref, Ref],
  scale: number,
  mesh: BatchMesh | undefined,
): readonly [Ref, Ref] {
  const operands = given.map((x) => filled(body, x));
  const [q, k] = operands as [Ref, Ref, Ref];
  const [batch, length, heads] = q.shape as [number, number, number];
  const results: Type[] = [headsFirst(q), { dtype: "float32", shape: [batch, heads, length] }, scratch];
  const products = {
    bmm1_dot_dimension_numbers: dims([3], [3], [0, 2], [0, 2]),
    bmm2_dot_dimension_numbers: dims([3], [1], [0, 1], [0, 2]),
  };
  const layouts = { operands: [rows4, rows4, rows4], results: [turned4, rows3, flat] };
  const write = call("__cudnn$fmhaSoftmax", { scale, products, layouts, positions: k.shape[1] as number });
  const [out, statistics] = run(body, mesh, operands, results, write) as [Ref, Ref];
  return [cut(body, body.transpose(out, [0, 2, 1, 3]), given[0]), statistics];
}

/** The gradients of queries, keys and values. */
export function cudnnAttentionGrad(
  body: Body,
  given: readonly [Ref, Ref, Ref],
  { out, statistics, gradient }: Kept,
  scale: number,
  mesh: BatchMesh | undefined,
): readonly [Ref, Ref, Ref] {
  const [q, k, v] = given.map((x) => filled(body, x)) as [Ref, Ref, Ref];
  const operands = [q, k, v, statistics, filled(body, gradient), filled(body, out)];
  const results = [...[q, k, v].map(headsFirst), scratch];
  const products = {
    bmm1_grad_gemm1_dot_dimension_numbers: dims([2], [1], [0, 1], [0, 2]),
    bmm1_grad_gemm2_dot_dimension_numbers: dims([3], [1], [0, 1], [0, 2]),
    bmm2_grad_gemm1_dot_dimension_numbers: dims([2], [1], [0, 1], [0, 2]),
    bmm2_grad_gemm2_dot_dimension_numbers: dims([3], [3], [0, 2], [0, 2]),
  };
  const layouts = {
    operands: [rows4, rows4, rows4, rows3, rows4, rows4],
    results: [turned4, turned4, turned4, flat],
  };
  const write = call("__cudnn$fmhaSoftmaxBackward", { scale, products, layouts, positions: k.shape[1] as number });
  const [dq, dk, dv] = run(body, mesh, operands, results, write) as [Ref, Ref, Ref];
  const laid = (made: Ref, like: Ref) => cut(body, body.transpose(made, [0, 2, 1, 3]), like);
  return [laid(dq, given[0]), laid(dk, given[1]), laid(dv, given[2])];
}

const scratch: Type = { dtype: "uint8", shape: [0] };
const [rows4, rows3, flat] = ["[3, 2, 1, 0]", "[2, 1, 0]", "0"];
const turned4 = "[3, 1, 2, 0]"; // [B, H, T, D] that lies as [B, T, H, D]

interface Call {
  readonly scale: number;
  readonly products: Readonly<Record<string, object>>;
  readonly layouts: { readonly operands: readonly string[]; readonly results: readonly string[] };
  /** Keys of a sequence. */
  readonly positions: number;
}

function call(target: string, { scale, products, layouts, positions }: Call) {
  return (operands: readonly Ref[], results: readonly Type[]): string => {
    const [batch, length, heads] = (operands[0] as Ref).shape as [number, number, number];
    const config = {
      operation_queue_id: "0",
      cudnn_fmha_backend_config: {
        algorithm: {
          algo_id: "0",
          math_type: "TENSOR_OP_MATH",
          tuning_knobs: { "17": "1", "24": "0" },
          is_cudnn_frontend: true,
          workspace_size: "0",
        },
        fmha_scale: scale,
        intermediate_tensor_shape: {
          element_type: "BF16",
          dimensions: [batch, heads, length, positions].map(String),
          tuple_shapes: [],
          layout: {
            dim_level_types: [],
            dim_unique: [],
            dim_ordered: [],
            minor_to_major: ["3", "2", "1", "0"],
            tiles: [],
            element_size_in_bits: "0",
            memory_space: "0",
            index_primitive_type: "PRIMITIVE_TYPE_INVALID",
            pointer_primitive_type: "PRIMITIVE_TYPE_INVALID",
            dynamic_shape_metadata_prefix_bytes: "0",
          },
          is_dynamic_dimension: [false, false, false, false],
        },
        is_flash_attention: true,
        mask_type: "CAUSAL",
        ...products,
        dropout_rate: 0,
        seed: 42,
        sliding_window_length: 0,
        max_seg_per_batch: 1,
        is_paged_attention: false,
      },
    };
    const text = JSON.stringify(config).replaceAll('"', "\\22");
    const lie = (list: readonly string[], types: readonly Type[]) =>
      `[${list.map((order, i) => `dense<${order}> : tensor<${(types[i] as Type).shape.length}xindex>`).join(", ")}]`;
    const laid = `operand_layouts = ${lie(layouts.operands, operands)}, result_layouts = ${lie(layouts.results, results)}`;
    const names = operands.map(({ name }) => name).join(", ");
    return `stablehlo.custom_call @${target}(${names}) {api_version = 2 : i32, backend_config = "${text}", ${laid}} : ${typesText(operands)} -> ${typesText(results)}`;
  };
}

function run(
  body: Body,
  mesh: BatchMesh | undefined,
  operands: readonly Ref[],
  results: readonly Type[],
  write: ReturnType<typeof call>,
): Ref[] {
  if (mesh) return splitBatch(body, mesh, operands, results, write);
  return body.emitAll(write(operands, results), results);
}

function dims(left: number[], right: number[], leftBatch: number[], rightBatch: number[]): object {
  return {
    lhs_contracting_dimensions: left.map(String),
    rhs_contracting_dimensions: right.map(String),
    lhs_batch_dimensions: leftBatch.map(String),
    rhs_batch_dimensions: rightBatch.map(String),
  };
}

/** `[B, T, H, D]` → `[B, H, T, D]`. */
function headsFirst({ dtype, shape: [batch, length, heads, width] }: Type): Type {
  return { dtype, shape: [batch, heads, length, width] as number[] };
}

function filled(body: Body, x: Ref): Ref {
  const width = x.shape[3] as number;
  return body.pad(x, 3, 0, Math.ceil(width / headStep) * headStep - width);
}

function cut(body: Body, x: Ref, like: Ref): Ref {
  return body.slice(x, 3, 0, like.shape[3] as number);
}
