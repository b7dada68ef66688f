import type { Flags } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { toChoice } from "../../config/values.ts";
import { importFrom, type ImportReport } from "../../moving/import.ts";
import { withDatabase } from "../../moving/open.ts";
import { prepareDataDir } from "../data-dir.ts";

export interface ImportFlags extends Partial<Flags> {
  onConflict?: string;
}

export async function importData(
  file: string,
  flags: ImportFlags,
): Promise<void> {
  const onConflict = toChoice(
    { name: "--on-conflict", text: flags.onConflict ?? "refuse" },
    ["refuse", "keep", "replace"],
  );
  const { config } = loadConfig("start", { reload: false, ...flags });
  prepareDataDir(config.dataDir);
  const report = await withDatabase(config, (database) =>
    importFrom(file, database, { onConflict }),
  );
  print(file, report);
}

function print(file: string, { tables, continuedAfter }: ImportReport): void {
  const lines = Object.entries(tables).map(
    ([table, { added, replaced, kept }]) =>
      `${table.padEnd(22)}${[added, replaced, kept].map((count) => String(count).padStart(10)).join("")}`,
  );
  const head = `${"".padEnd(22)}     added  replaced      kept`;
  const continued =
    continuedAfter === 0
      ? ""
      : `, continued after line ${continuedAfter} of an import that had been interrupted`;
  process.stdout.write(
    `${[head, ...lines, `imported ${file}${continued}`].join("\n")}\n`,
  );
}
