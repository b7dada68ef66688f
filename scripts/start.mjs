// npm start: sets up what is missing, then `spool dev` in this process, so that signals reach it directly.
import { root, setUp } from "./setup.mjs";

await setUp();
// A --config of the user comes later and wins.
process.argv.splice(2, 0, "dev", "--config", `${root}/examples/agent`);
await import("../dist/cli/index.js");

// npm hands a signal to the shell between us, which dies of it without a word to its child.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(watch);
  process.kill(process.pid, "SIGTERM");
}, 250).unref();
