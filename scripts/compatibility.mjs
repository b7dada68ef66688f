// npm run compatibility: runs the tests of all clients, then writes docs/compatibility.md from what they called.
import { writeFileSync } from "node:fs";
import "@oxc-node/core/register";
import { format } from "prettier";
import { run, VITEST } from "./run.mjs";
import { setUp } from "./setup.mjs";

await setUp();
process.env.COMPATIBILITY = "write"; // the page is not compared while it is made
const code = await run(VITEST, [
  "run",
  "--project",
  "sqlite", // on the others the same tests compare
  "test/e2e/clients",
]);
if (code !== 0) process.exit(code); // what failed has not been shown

const { PAGE, renderPage } =
  await import("../test/support/compatibility-page.ts");
writeFileSync(PAGE, await format(renderPage(), { parser: "markdown" }));
