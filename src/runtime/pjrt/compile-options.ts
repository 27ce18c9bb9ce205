// XLA's CompileOptionsProto as bytes (xla/pjrt/proto/compile_options.proto): how many devices a module runs on. Written by
// hand, for it is five numbers; empty options end the process.

/** What to compile for. */
export interface CompileTarget {
  /** The places, among the client's devices, of those that the partitioner spreads the module over; the first alone if not given. */
  readonly devices?: readonly number[];
}

const varint = (field: number, value: number): number[] => [...number(field << 3), ...number(value)];
const message = (field: number, bytes: readonly number[]): number[] => [
  ...number((field << 3) | 2),
  ...number(bytes.length),
  ...bytes,
];

/** The options' bytes. */
export function compileOptions({ devices = [0] }: CompileTarget = {}): Uint8Array {
  const build = [
    ...varint(4, 1), // num_replicas
    ...varint(5, devices.length), // num_partitions
    ...(devices.length > 1 ? varint(6, 1) : []), // use_spmd_partitioning
    ...message(9, assignment(devices)), // device_assignment
    ...(devices.length > 1 ? varint(19, 1) : []), // use_shardy_partitioner
  ];
  return Uint8Array.from(message(3, build)); // executable_build_options
}

/** DeviceAssignmentProto: one replica, partition i on the i-th device. */
function assignment(devices: readonly number[]): number[] {
  const computations = devices.map((id) => message(3, message(1, number(id))));
  return [...varint(1, 1), ...varint(2, devices.length), ...computations.flat()];
}

function number(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
