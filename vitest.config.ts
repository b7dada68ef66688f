import { defineConfig } from "vitest/config";

/** Unit tests sit beside their source; the others are sorted by what they need. `test/e2e` and `test/chaos` run the built program. */
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
