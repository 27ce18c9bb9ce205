import fc from "fast-check";
import { expect, test } from "vitest";
import { caption } from "../../src/charts/sharing-caption.ts";
import { sharingPicture, sharingSvg } from "../../src/charts/sharing-picture.ts";
import { allSharings, owners, share, unshared } from "../../src/model/sharing.ts";
import { textsOf } from "./svg-texts.ts";

test("pairs of neighbours", () => {
  expect(sharingPicture(share(8, 2))).toMatchInlineSnapshot(`
    "layer  0  1  2  3  4  5  6  7
           ■──╯  ■──╯  ■──╯  ■──╯
    slot   0     1     2     3
           ■ keeps keys and values   ╯ reads those of the ■ on its line
           4 of 8 layers keep keys and values: the cache is 50% smaller"
  `);
});

test("groups that interleave have lines of their own", () => {
  expect(sharingPicture([0, 1, 0, 1, 4, 4])).toMatchInlineSnapshot(`
    "layer  0  1  2  3  4  5
           ■─────╯     ■──╯
              ■─────╯
    slot   0  1        2
           ■ keeps keys and values   ╯ reads those of the ■ on its line
           3 of 6 layers keep keys and values: the cache is 50% smaller"
  `);
});

test("a deep model wraps, and a group goes on over the wrap", () => {
  expect(sharingPicture(share(20, 3))).toMatchInlineSnapshot(`
    "layer  0   1   2   3   4   5   6   7   8   9   10  11  12  13  14  15
           ■───╯   ■───┴───╯   ■───┴───╯   ■───┴───╯   ■───┴───╯   ■───┴───
    slot   0       1           2           3           4           5
    layer  16  17  18  19
           ╯   ■───┴───╯
    slot       6
           ■ keeps keys and values   ╯ reads those of the ■ on its line
           7 of 20 layers keep keys and values: the cache is 65% smaller"
  `);
});

test("every sharing of five layers: one ■ per owner, one mark per borrower, right of its owner on its line", () => {
  for (const sharing of allSharings(5)) {
    const lines = sharingPicture(sharing).split("\n").slice(1, -3);
    const marks = lines.flatMap((line, lane) => [...line].map((mark, column) => ({ mark, lane, column })));
    const at = (layer: number) => marks.filter(({ mark, column }) => column === 7 + layer * 3 && /[■┴╯]/.test(mark));
    for (const [layer, owner] of sharing.entries()) {
      expect(at(layer)).toHaveLength(1);
      const [own, kept] = [at(layer)[0], at(owner)[0]];
      expect(own?.mark === "■").toBe(layer === owner);
      expect(own?.lane).toBe(kept?.lane);
      if (layer !== owner) {
        const between = (lines[own?.lane ?? 0] as string).slice((kept?.column ?? 0) + 1, own?.column);
        expect(between).toMatch(/^[─┴]+$/);
      }
    }
    expect(marks.filter(({ mark }) => mark === "■")).toHaveLength(owners(sharing).length);
  }
});

test("no line is wider than asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 }), (layers, factor) => {
      const lines = sharingPicture(share(layers, Math.min(layers, factor)), { width: 72 }).split("\n");
      for (const line of lines) expect([...line].length).toBeLessThanOrEqual(72);
    }),
  );
});

test("captions", () => {
  expect(caption(share(8, 2))).toBe("4 of 8 layers keep keys and values: the cache is 50% smaller");
  expect(caption([0, 0, 0])).toBe("1 of 3 layers keeps keys and values: the cache is 66.7% smaller");
  expect(caption(unshared(2))).toBe("all 2 layers keep keys and values: nothing is shared");
  expect(caption([0])).toBe("the only layer keeps keys and values: nothing is shared");
});

test("the SVG has a box for every layer and slot, and a dashed one for every slot that is saved", () => {
  for (const sharing of [share(8, 2), unshared(4), share(32, 3), [0, 1, 0, 1]]) {
    const svg = sharingSvg(sharing);
    const kept = owners(sharing).length;
    expect(svg.match(/stroke-dasharray/g) ?? []).toHaveLength(sharing.length - kept);
    expect(svg.match(/<rect [^>]*rx="5"/g)).toHaveLength(2 * sharing.length);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(sharing.map((_, layer) => String(layer))));
    expect(svg).not.toMatch(/NaN|undefined/);
  }
});
