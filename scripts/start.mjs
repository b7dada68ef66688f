// npm start: sets up what is missing, then `spool dev` in this process, so that signals reach it directly.
import { root, setUp } from "./setup.mjs";

await setUp();
const config = `${root}/examples/agent/langgraph.json`;
// A --config of the user comes later and wins.
process.argv.splice(2, 0, "dev", "--config", config);
await import("../dist/cli/index.js");
