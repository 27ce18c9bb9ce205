// Where something is computed, and in what numbers: the options that train, eval and study share.

import { type Command, Option } from "commander";
import { InputError } from "../error.ts";
import type { Shard } from "../model/parameter-layouts.ts";
import { type Precision, precisionNames } from "../model/precision.ts";
import type { Device } from "../runtime/device.ts";
import { cpuName, openDevice } from "../runtime/open-device.ts";

/** What the options give. */
export interface DeviceFlags {
  device?: string;
  devices?: string;
  precision?: Precision;
  threads?: number;
  shard?: Shard;
}

/** Adds the options. */
export function deviceOptions(command: Command): Command {
  return command
    .option(
      "--device <name>",
      "cpu, cuda, cuda:1, cuda:0,1 or all for several cards as one, tpu or xla; `crosslayer devices` lists them (default: cpu)",
    )
    .option("--devices <names>", "the same as --device")
    .addOption(
      new Option(
        "--precision <type>",
        "what matrices are multiplied in (default: bfloat16 on accelerators, float32 on the CPU)",
      ).choices(precisionNames),
    );
}

/** Adds the option that says what else than the batch is split over several cards. */
export function shardOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--shard <what>",
      "parameters: split weights and optimizer state over the cards (FSDP); without it each has all of them",
    ).choices(["parameters"]),
  );
}

/** Opens the device that was asked for; `threads` is for the CPU. @throws InputError as `openDevice`. */
export function openAsked({ device: one, devices, threads }: DeviceFlags): Promise<Device> {
  if (one !== undefined && devices !== undefined) throw new InputError("give --device or --devices, not both");
  const device = one ?? devices;
  return openDevice(device === undefined || device === "cpu" ? cpuName(threads) : device);
}

/** The precision that was asked for, or the device's own; undefined for float32. @throws InputError where it has it not. */
export function precisionOn({ traits, name }: Device, asked: Precision | undefined): Precision | undefined {
  const precision = asked ?? traits.precision;
  if (precision === "bfloat16" && traits.shapes === "any") {
    throw new InputError(
      `--precision: ${name} multiplies in float32 only, found bfloat16; leave it out, or use --device cuda`,
    );
  }
  return precision === "float32" ? undefined : precision;
}
