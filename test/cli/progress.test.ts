import { expect, test, vi } from "vitest";
import { progress } from "../../src/cli/progress.ts";

test("without a terminal the end of the work is told once, however often it is reported", () => {
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    const shown = progress("items", 3);
    for (const done of [1, 2, 3, 3, 3]) shown.update(done, "");
    expect(told.mock.calls.map(([line]) => (line as string).split("  ")[0])).toEqual(["items 3/3"]);
  } finally {
    told.mockRestore();
  }
});
