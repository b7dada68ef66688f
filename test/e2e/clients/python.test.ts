import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, test } from "vitest";
import {
  assertPageAgrees,
  recordFile,
} from "../../support/compatibility-page.ts";
import { pythonEnvironment } from "../../support/python-environment.ts";
import {
  listTests,
  runTests,
  type Pytest,
  type PythonResults,
} from "../../support/pytest.ts";
import { leaveOut } from "../../support/leave-out.ts";
import { useServer } from "../../support/server.ts";

/** The tests themselves are in ./python, and run once, for both clients; here each is told as one of ours. */
const folder = fileURLToPath(new URL("python", import.meta.url));
const python = await pythonEnvironment(join(folder, "requirements.txt"));

/** Making sure that it ends; a single test that hangs is ended by pytest.ini. */
const RUN_MS = 900_000;

if ("missing" in python)
  leaveOut("the Python SDK", {
    reason: python.missing,
    unless: "SPOOL_REQUIRE_PYTHON",
  });
else await drive({ program: python.program, folder });

async function drive(pytest: Pytest): Promise<void> {
  const tests = await listTests(pytest);
  // One each: to cancel all runs of a status is to cancel those of the other, too.
  const servers = { async: useServer(), sync: useServer() };
  let results: PythonResults;

  beforeAll(async () => {
    const SPOOL_RECORDS = dirname(recordFile("python"));
    results = await runTests(
      pytest,
      Object.entries(servers).map(([SPOOL_CLIENTS, { url }]) => ({
        SPOOL_URL: url,
        SPOOL_CLIENTS,
        SPOOL_RECORDS,
      })),
    );
  }, RUN_MS);

  const files = new Set(tests.map(({ file }) => file));
  describe.each([...files])("%s", (file) => {
    const own = tests.filter((one) => one.file === file);
    test.each(own.map(({ name, id }) => [name, id]))("%s", (_, id) => {
      const failure = results.failureOf(id ?? "");
      if (failure !== null) throw new Error(failure);
    });
  });

  test("Python came to its end", () => {
    if (results.crashed) throw new Error(results.output);
  });

  test.each(["python", "python-sync"])(
    "docs/compatibility.md says what %s called",
    (client) => assertPageAgrees(client),
  );
}
