// npm run bench: Spool beside the official in-memory dev server; see bench/compare/main.ts for its flags. With --postgres: Spool on Postgres, see bench/postgres.ts.
import { installPeer } from "./peer.mjs";
import { run } from "./run.mjs";
import { setUp } from "./setup.mjs";

const onPostgres = process.argv.includes("--postgres");
await setUp();
if (!onPostgres) await installPeer();
process.exitCode = await run("--import", [
  "@oxc-node/core/register",
  onPostgres ? "bench/postgres.ts" : "bench/compare/main.ts",
  ...process.argv.slice(2),
]);
