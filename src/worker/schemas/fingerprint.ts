import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a result was made of. Paths are absolute here; the cache keeps them relative to the project. */
export interface Fingerprint {
  /** The project's own files and the hash of their text; null: must not exist. */
  files: Record<string, string | null>;
  /** The directory of each package that took part, and its `name@version`. */
  packages: Record<string, string | null>;
}

export const hashText = (text: string): string =>
  createHash("sha256").update(text).digest("base64url");

/** Null when the file cannot be read. */
export function hashFile(path: string): string | null {
  try {
    // The compiler takes the mark off as well.
    return hashText(readFileSync(path, "utf8").replace(/^\uFEFF/, ""));
  } catch {
    return null;
  }
}

/** The installed package that a file belongs to; null when it is the project's own. */
export const packageDirectory = (path: string): string | null =>
  /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? null;

/** Null when there is no package. */
export function packageVersion(directory: string): string | null {
  try {
    const text = readFileSync(join(directory, "package.json"), "utf8");
    const { name, version } = JSON.parse(text) as Record<string, unknown>;
    return `${String(name)}@${String(version)}`;
  } catch {
    return null;
  }
}

/** Whether everything is as it was. Blocks for some milliseconds. */
export function stillStands({ files, packages }: Fingerprint): boolean {
  return (
    Object.entries(files).every(([path, hash]) => hashFile(path) === hash) &&
    Object.entries(packages).every(
      ([directory, version]) => packageVersion(directory) === version,
    )
  );
}
