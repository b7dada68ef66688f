import type { Flags } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { createLogger } from "../../lib/logger.ts";
import { exportAll } from "../../moving/export.ts";

export async function exportData(
  file: string,
  flags: Partial<Flags>,
): Promise<void> {
  const { config } = loadConfig("start", { reload: false, ...flags });
  const counts = await exportAll(file, config, createLogger(config.log));
  for (const [table, rows] of Object.entries(counts))
    process.stdout.write(`${String(rows).padStart(10)}  ${table}\n`);
  process.stdout.write(`exported to ${file}\n`);
}
