import { ConfigError } from "../../config/config-error.ts";
import type { Config, Flags } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { toChoice } from "../../config/values.ts";
import { createLogger } from "../../lib/logger.ts";
import { readDevFolder } from "../../moving/dev-folder.ts";
import { importForeign } from "../../moving/foreign.ts";
import { fromServer } from "../../moving/from-server.ts";
import {
  importFile,
  type ImportReport,
  type OnConflict,
} from "../../moving/import.ts";
import { ForeignServer } from "../../moving/server-client.ts";
import { prepareDataDir } from "../data-dir.ts";

export interface ImportFlags extends Partial<Flags> {
  onConflict?: string;
  fromServer?: string;
  header: string[];
  fromDevFolder?: string;
}

/** From exactly one of a file, a server and a folder. */
export async function importData(
  file: string | undefined,
  flags: ImportFlags,
): Promise<void> {
  const onConflict = toChoice(
    { name: "--on-conflict", text: flags.onConflict ?? "refuse" },
    ["refuse", "keep", "replace"],
  );
  const { fromServer: url, fromDevFolder: folder } = flags;
  const sources = [file, url, folder].filter((source) => source !== undefined);
  if (sources.length !== 1)
    throw new ConfigError(
      "spool import takes one of a file, --from-server and --from-dev-folder",
    );
  const { config } = loadConfig("start", { reload: false, ...flags });
  if (file !== undefined) return fromFile(config, file, onConflict);
  const source =
    url === undefined ? folderSource(folder!) : serverSource(url, flags.header);
  await importSource(config, source, onConflict);
}

async function fromFile(
  config: Config,
  file: string,
  onConflict: OnConflict,
): Promise<void> {
  prepareDataDir(config.dataDir);
  const log = createLogger(config.log);
  const { tables, continuedAfter } = await importFile(file, config, {
    ...{ log, onConflict },
  });
  printTables(tables);
  const continued =
    continuedAfter === 0
      ? ""
      : `, continued after line ${continuedAfter} of an import that had been interrupted`;
  print(`imported ${file}${continued}`);
}

type Read = ReturnType<typeof readDevFolder>;

interface Source {
  name: string;
  units: Read;
  /** What is different from there, once all is done. */
  remarks(): string[];
}

const folderSource = (folder: string): Source => ({
  name: folder,
  units: readDevFolder(folder),
  remarks: () => [],
});

function serverSource(url: string, headers: readonly string[]): Source {
  const server = new ForeignServer(
    toUrl(url),
    Object.fromEntries(headers.map(toHeader)),
  );
  const stateOnly = new Set<string>();
  const branches = new Map<string, number>();
  return {
    name: url,
    units: (workers) =>
      fromServer({
        server,
        workers,
        onStateOnly: (thread) => stateOnly.add(thread),
        onBranches: (thread, states) => branches.set(thread, states),
      }),
    remarks: () => [
      ...[...stateOnly].map(
        (thread) =>
          `thread ${thread}: its values only, without its history and what was next`,
      ),
      ...[...branches].map(
        ([thread, states]) =>
          `thread ${thread}: without ${states} states that are on other branches than the newest`,
      ),
    ],
  };
}

function toUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new ConfigError(
    `--from-server is "${text}"; it must be a URL like http://localhost:2024`,
  );
}

function toHeader(text: string): [string, string] {
  const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new ConfigError(
      `--header is "${text}"; it must be like x-api-key=secret`,
    );
  return [name, value];
}

async function importSource(
  config: Config,
  source: Source,
  onConflict: OnConflict,
): Promise<void> {
  // oxlint-disable-next-line no-restricted-imports -- the one door into the server's parts
  const { withWorkers } = await import("../../workbench.ts");
  const log = createLogger(config.log);
  prepareDataDir(config.dataDir);
  const { tables, failed } = await withWorkers(
    { config, log },
    (workers, database) =>
      importForeign(database, {
        source: source.name,
        units: () => source.units(workers),
        onConflict,
      }),
  );
  printTables(tables);
  for (const remark of source.remarks()) print(remark);
  print(`imported from ${source.name}`);
  if (failed.length === 0) return;
  const [one] = failed;
  throw new Error(
    failed.length === 1
      ? `not imported: ${one}`
      : `${failed.length} were not imported:\n  ${failed.join("\n  ")}`,
  );
}

function printTables(tables: ImportReport["tables"]): void {
  const columns = (...texts: (string | number)[]) =>
    texts.map((text) => String(text).padStart(10)).join("");
  print(`${"".padEnd(22)}${columns("added", "replaced", "kept")}`);
  for (const [table, { added, replaced, kept }] of Object.entries(tables))
    print(`${table.padEnd(22)}${columns(added, replaced, kept)}`);
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
