import fc from "fast-check";
import { expect, test } from "vitest";
import { type Layout, type Mesh, partOf, partShape, processors, wholeOf } from "../../src/tensor/layout.ts";
import { sizeOf, type Tensor } from "../../src/tensor/tensor.ts";

const counted = (shape: readonly number[]): Tensor => ({
  dtype: "int32",
  shape,
  data: Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
});

test("a part holds the elements of its place", () => {
  const mesh: Mesh = { data: 2, model: 3 };
  const whole = counted([4, 3]);
  expect(partOf(whole, ["data", "model"], mesh, 0).data).toEqual(Int32Array.of(0, 3));
  expect(partOf(whole, ["data", "model"], mesh, 1).data).toEqual(Int32Array.of(1, 4)); // the next along "model"
  expect(partOf(whole, ["data", "model"], mesh, 5).data).toEqual(Int32Array.of(8, 11));
  expect(partOf(whole, ["data"], mesh, 3).data).toEqual(Int32Array.of(6, 7, 8, 9, 10, 11));
  expect(partOf(whole, [], mesh, 4)).toBe(whole);
});

test("the parts of a tensor are the tensor", () => {
  const axis = fc.constantFrom(undefined, "data" as const, "model" as const);
  const side = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(side, axis), { maxLength: 4 }), side, side, (dims, data, model) => {
      const mesh = { data, model };
      const layout: Layout = dims.map(([, along], i) =>
        dims.findIndex(([, other]) => other === along) === i ? along : undefined,
      );
      const shape = dims.map(([size], i) => size * (layout[i] ? mesh[layout[i]] : 1));
      const whole = counted(shape);
      const parts = Array.from({ length: processors(mesh) }, (_, place) => partOf(whole, layout, mesh, place));
      for (const part of parts) expect(part.shape).toEqual(partShape(shape, layout, mesh));
      expect(wholeOf(parts, shape, layout, mesh)).toEqual(whole);
    }),
  );
});

test("what does not divide has no parts", () => {
  expect(() => partShape([3, 4], ["data"], { data: 2, model: 1 })).toThrow("3 of [3,4] does not divide over 2");
});
