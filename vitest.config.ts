import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

/** What is the same on every engine, and so is run on each. */
const ON_EVERY_ENGINE = ["test/contract", "test/http", "test/e2e"];

/** Unit tests sit beside their source; the others are sorted by what they need. `test/e2e` and `test/chaos` run the built program. */
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most files wait for servers, clocks and leases more than they compute.
    maxWorkers: availableParallelism() + 1,
    // No module of ours keeps state, so that those that one file has loaded serve the next.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "sqlite",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["test/postgres/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "postgres",
          include: ["test/postgres", ...ON_EVERY_ENGINE].map(
            (folder) => `${folder}/**/*.test.ts`,
          ),
          exclude: ["test/contract/sqlite.test.ts"],
          env: { SPOOL_TEST_ENGINE: "postgres" },
          globalSetup: "test/support/start-postgres.ts",
        },
      },
    ],
  },
});
