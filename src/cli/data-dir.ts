import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../config/config-error.ts";

/** Makes the folder for the data, one that git leaves alone without a line in the project's own .gitignore. */
export function prepareDataDir(dataDir: string): void {
  if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory()) return;
  try {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, ".gitignore"), "*\n");
  } catch (cause) {
    throw new ConfigError(
      `cannot create the data directory ${dataDir} (${(cause as { code?: string }).code}); choose another with --data-dir`,
      { cause },
    );
  }
}
