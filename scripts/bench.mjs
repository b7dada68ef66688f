// npm run bench: Spool beside the official in-memory dev server; see bench/compare/main.ts for its flags.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { run } from "./run.mjs";
import { fail, root, setUp } from "./setup.mjs";

await setUp();
const peer = `${root}/bench/peer`;
if (!existsSync(`${peer}/node_modules/@langchain/langgraph-api`)) {
  console.log("Installing the server to compare with …");
  const args = ["install", "--no-save", "--ignore-scripts", "--loglevel=error"];
  const { status } = spawnSync("npm", args, {
    cwd: peer,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) fail("npm install failed in bench/peer; see above");
}
process.exitCode = await run("--import", [
  "@oxc-node/core/register",
  "bench/compare/main.ts",
  ...process.argv.slice(2),
]);
