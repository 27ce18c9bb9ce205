import { defineConfig } from "vitest/config";

const report = process.env.CROSSLAYER_TEST_REPORT;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } }, // for what will come, on a machine however busy
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
