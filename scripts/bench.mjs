// npm run bench: Spool beside the official in-memory dev server; see bench/compare/main.ts for its flags.
import { installPeer } from "./peer.mjs";
import { run } from "./run.mjs";
import { setUp } from "./setup.mjs";

await setUp();
installPeer();
process.exitCode = await run("--import", [
  "@oxc-node/core/register",
  "bench/compare/main.ts",
  ...process.argv.slice(2),
]);
