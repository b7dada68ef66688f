// npm test: sets up what is missing, then runs every test; arguments go to vitest.
import { run, VITEST } from "./run.mjs";
import { setUp } from "./setup.mjs";

await setUp();
process.exitCode = await run(VITEST, ["run", ...process.argv.slice(2)]);
