import type { Flags } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { exportTo } from "../../moving/export.ts";
import { withSnapshot } from "../../moving/open.ts";

export async function exportData(
  file: string,
  flags: Partial<Flags>,
): Promise<void> {
  const { config } = loadConfig("start", { reload: false, ...flags });
  const counts = await withSnapshot(config, (db) => exportTo(file, db));
  for (const [table, rows] of Object.entries(counts))
    process.stdout.write(`${String(rows).padStart(10)}  ${table}\n`);
  process.stdout.write(`exported to ${file}\n`);
}
