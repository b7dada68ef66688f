#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { VERSION } from "../lib/package-version.ts";
import type { ImportFlags } from "./commands/import.ts";
import { addPlaceOptions, addServerOptions } from "./server-options.ts";
import type { Flags } from "../config/config.ts";

/*
 * Exit codes: 0 done or stopped, 1 it could not run (port taken, data directory
 * held), 2 what was asked for is wrong (flag, variable, langgraph.json).
 * Everything but this file and the options is loaded by the command that needs it.
 */

const program = new Command("spool")
  .description(
    "Runs LangGraph graphs as durable threads behind the LangGraph API.",
  )
  .version(VERSION, "-v, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .showSuggestionAfterError(true)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(oneLine(text)) });

addServerOptions(
  program
    .command("dev")
    .description("serve a project on this machine; reloads when it changes"),
).action(async (flags: Flags & { browser: boolean }) => {
  const { dev } = await import("./commands/dev.ts");
  await dev(flags);
});

addServerOptions(
  program
    .command("start")
    .description(
      "serve a project in production; no reload, a worker per core but one",
    ),
).action(async (flags: Flags) => {
  const { start } = await import("./commands/start.ts");
  await start(flags);
});

addPlaceOptions(
  program
    .command("export")
    .description(
      "write all data to a file of JSON lines, gzipped if its name ends in .gz; a server may be running",
    )
    .argument("<file>"),
).action(async (file: string, flags: Partial<Flags>) => {
  const { exportData } = await import("./commands/export.ts");
  await exportData(file, flags);
});

addPlaceOptions(
  program
    .command("import")
    .description(
      "bring in what spool export wrote, or what another server has; repeat it to continue",
    )
    .argument("[file]")
    .option(
      "--from-server <url>",
      "a LangGraph server or another Spool, over its API, instead of a file",
    )
    .option(
      "--header <name=value>",
      "a header for the requests to that server; may be repeated",
      (header: string, headers: string[]) => [...headers, header],
      [],
    )
    .option(
      "--from-dev-folder <path>",
      "the .langgraph_api of the JavaScript dev server, instead of a file",
    )
    .option(
      "--on-conflict <what>",
      "what is there already, but not alike: refuse, keep it, or replace it (default: refuse)",
    ),
).action(async (file: string | undefined, flags: ImportFlags) => {
  const { importData } = await import("./commands/import.ts");
  await importData(file, flags);
});

try {
  await program.parseAsync();
} catch (error) {
  const code = exitCodeOf(error);
  // What had been started before the failure must not keep the process alive.
  if (code !== 0) process.exit(code);
}

/** Commander has printed its own message by now; `--help` and `--version` end this way too. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { name, message } = error as Error;
  process.stderr.write(`error: ${message}\n`);
  return name === "ConfigError" ? 2 : 1;
}

/** Commander puts its suggestion on a line of its own. */
function oneLine(text: string): string {
  return `${text.trim().replace(/\.$/, "").replaceAll("\n", " ")}; see spool --help\n`;
}
