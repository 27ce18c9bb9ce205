// What a schema refuses, as a mistake that people and programs can read.

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { InputError } from "../src/error.ts";
import { checked, kebabCase } from "../src/options.ts";

const schema = z.strictObject({
  topK: z.int().min(0).default(5),
  inner: z.strictObject({ list: z.array(z.int()) }).optional(),
});

/** What `checked` throws. */
function mistake(value: unknown, ...rest: [naming: Parameters<typeof checked>[2], error?: z.core.$ZodErrorMap]) {
  try {
    checked(schema, value, ...rest);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    const { message, option, problem } = error as InputError;
    return { message, option, problem };
  }
  throw new Error("it was taken");
}

describe("checked", () => {
  it("fills in what is not said, and takes undefined for that", () => {
    expect(checked(schema, {}, "noun")).toEqual({ topK: 5 });
    expect(checked(schema, { topK: undefined }, "noun")).toEqual({ topK: 5 });
  });

  it("names the noun and the way to what is wrong", () => {
    const { message, option, problem } = mistake({ inner: { list: [1, "two"] } }, "noun");
    expect(message).toBe(`noun: inner.list.1: ${problem}`);
    expect(option).toBe("inner.list.1");
    expect(problem).toMatch(/number/);
  });

  it("names nothing but the noun where no option is wrong in itself", () => {
    expect(mistake({ other: 1 }, "noun")).toMatchObject({ message: 'noun: Unrecognized key: "other"' });
    expect(mistake(null, "noun").option).toBeUndefined();
  });

  it("names and explains as it is told to", () => {
    const found = mistake({ topK: -1 }, kebabCase, ({ input }) => `must be right, found ${input}`);
    expect(found).toEqual({
      message: "top-k: must be right, found -1",
      option: "topK",
      problem: "must be right, found -1",
    });
  });
});
