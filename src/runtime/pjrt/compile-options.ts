// XLA's CompileOptionsProto as bytes (xla/pjrt/proto/compile_options.proto): how many devices a module runs on. Written by
// hand, for it is five numbers; empty options end the process.

/** What to compile for. */
export interface CompileTarget {
  /** Devices that the partitioner spreads the module over; 1 if not given. */
  readonly partitions?: number;
}

const varint = (field: number, value: number): number[] => [...number(field << 3), ...number(value)];
const message = (field: number, bytes: readonly number[]): number[] => [
  ...number((field << 3) | 2),
  ...number(bytes.length),
  ...bytes,
];

/** The options' bytes. */
export function compileOptions({ partitions = 1 }: CompileTarget = {}): Uint8Array {
  const build =
    partitions === 1
      ? [...varint(4, 1), ...varint(5, 1)] // num_replicas, num_partitions
      : [
          ...varint(4, 1),
          ...varint(5, partitions),
          ...varint(6, 1),
          ...message(9, assignment(partitions)),
          ...varint(19, 1),
        ];
  return Uint8Array.from(message(3, build)); // executable_build_options
}

/** DeviceAssignmentProto: one replica, partition i on device i. */
function assignment(partitions: number): number[] {
  const devices = Array.from({ length: partitions }, (_, id) => message(3, message(1, number(id))));
  return [...varint(1, 1), ...varint(2, partitions), ...devices.flat()];
}

function number(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
