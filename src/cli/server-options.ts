import type { Command } from "commander";

/** What `dev` and `start` have in common. Values stay text: config/ judges them, whatever they came from. */
export function addServerOptions(command: Command): Command {
  return addPlaceOptions(command)
    .option("-p, --port <number>", "port (default: 2024, or $PORT)")
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option(
      "--workers <number>",
      "worker processes (default: 1 in dev; cores minus one in start)",
    )
    .option(
      "-n, --n-jobs-per-worker <number>",
      "runs at once per worker; 0 serves the API only (default: 10)",
    )
    .option(
      "--worker-heap <megabytes>",
      "limit of the JavaScript heap of each worker (default: Node's own)",
    )
    .option(
      "--durability <mode>",
      "full: acknowledged writes survive power loss; relaxed: kill -9 only (default: full)",
    )
    .option(
      "--no-http",
      "execute runs only, and listen nowhere; other servers on the same Postgres have the API",
    )
    .option("--no-browser", "do not open the API docs in the browser (dev)")
    .option("--no-reload", "do not reload when files change (dev)");
}

/** Where the project and its data are. */
export function addPlaceOptions(command: Command): Command {
  return command
    .option("-c, --config <path>", "langgraph.json, or its folder (default: .)")
    .option(
      "--data-dir <path>",
      "folder for the data (default: .spool beside langgraph.json)",
    )
    .allowExcessArguments(false);
}
