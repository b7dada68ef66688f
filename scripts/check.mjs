// npm run check: what must hold before a commit. The quick ones side by side, then unit and contract tests.
// --without-tests leaves those to an npm test that follows.
import { checkLockfile } from "./check-lockfile.mjs";
import { capture, run, VITEST } from "./run.mjs";
import { setUp } from "./setup.mjs";

await setUp({ withBuild: false });

const node =
  (program, ...args) =>
  () =>
    capture(`node_modules/${program}`, args);

const CHECKS = {
  format: node("prettier/bin/prettier.cjs", "--check", "--log-level=warn", "."),
  // Rules, sizes and who may import whom: .oxlintrc.json
  lint: node("oxlint/bin/oxlint", "--type-aware", "--deny-warnings"),
  types: node("typescript/bin/tsc", "--noEmit"),
  "dead code": node("knip/bin/knip.js", "--no-progress"),
  lockfile: checkLockfile,
};

const results = await Promise.all(
  Object.entries(CHECKS).map(async ([name, check]) => {
    const startedAt = performance.now();
    const { code, output } = await check();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
    if (code !== 0) console.log(output.trimEnd());
    return { name, code };
  }),
);

/** All of them on SQLite; on Postgres those with the statements that differ most. npm test runs all on both. */
const TESTS = {
  sqlite: ["src", "test/contract"],
  postgres: [
    "checkpoints",
    "event-log",
    "run-queue",
    "store",
    "thread-search",
    "threads",
  ].map((name) => `test/contract/${name}.test.ts`),
};

if (!process.argv.includes("--without-tests"))
  for (const [project, files] of Object.entries(TESTS))
    results.push({
      name: `tests on ${project}`,
      code: await run(VITEST, ["run", "--project", project, ...files]),
    });

const failed = results.filter(({ code }) => code !== 0).map(({ name }) => name);
if (failed.length > 0) console.log(`FAIL ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
