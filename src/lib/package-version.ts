import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The version of Spool. */
export const VERSION =
  versionIn(new URL("../../package.json", import.meta.url)) ?? "0.0.0";

/** The version of a package as a file in `directory` would import it; null when it is not installed. */
export function installedVersion(
  name: string,
  directory: string,
): string | null {
  const version = versionIn(
    join(directory, "node_modules", name, "package.json"),
  );
  const parent = dirname(directory);
  return (
    version ?? (parent === directory ? null : installedVersion(name, parent))
  );
}

function versionIn(file: string | URL): string | null {
  try {
    const { version } = JSON.parse(readFileSync(file, "utf8")) as {
      version?: string;
    };
    return version ?? null;
  } catch {
    return null; // not there
  }
}
