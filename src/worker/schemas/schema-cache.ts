import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { isObject } from "../../lib/json.ts";
import type { ExtractParams, Extraction, Schemas } from "./extract-schemas.ts";
import { hashText, stillStands, type Fingerprint } from "./fingerprint.ts";

/** Raised when the same source gets other schemas than before. */
const FORMAT = 1;

/** What we are: another version of us, or of the compiler, starts anew. */
const MAKER = [FORMAT, versionOf("../../../package.json"), compilerVersion()];

interface Entry {
  schemas: Record<string, Schemas>;
  fingerprint: Fingerprint;
}

/**
 * Extracted schemas on disk, one file per graph. An entry names the files it
 * was made of with their hashes, so it is checked without the compiler. Paths
 * in it are relative to the project, which may be built in one place and run
 * in another. A file that is damaged or cannot be written is as good as none.
 */
export class SchemaCache {
  readonly #directory: string;
  readonly #root: string;

  constructor(params: { directory: string; root: string }) {
    this.#directory = params.directory;
    this.#root = params.root;
  }

  /** Null when there is none that still stands. */
  async get(graph: ExtractParams): Promise<Record<string, Schemas> | null> {
    try {
      const text = await readFile(this.#pathOf(graph), "utf8");
      const entry: unknown = JSON.parse(text);
      if (!isEntry(entry)) return null;
      const { files, packages } = entry.fingerprint;
      const absolute = (path: string) => resolve(this.#root, path);
      const fingerprint = {
        files: mapKeys(files, absolute),
        packages: mapKeys(packages, absolute),
      };
      return stillStands(fingerprint) ? entry.schemas : null;
    } catch {
      return null;
    }
  }

  async set(graph: ExtractParams, extraction: Extraction): Promise<void> {
    if (extraction.isOpenEnded) return;
    const { files, packages } = extraction.fingerprint;
    const local = (path: string) => relative(this.#root, path);
    const entry: Entry = {
      schemas: extraction.schemas,
      fingerprint: {
        files: mapKeys(files, local),
        packages: mapKeys(packages, local),
      },
    };
    const path = this.#pathOf(graph);
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await mkdir(this.#directory, { recursive: true });
      await writeFile(temporary, JSON.stringify(entry));
      await rename(temporary, path); // a reader sees all of it or none
    } catch {
      await rm(temporary, { force: true });
    }
  }

  #pathOf({ file, export_name }: ExtractParams): string {
    const key = [...MAKER, relative(this.#root, file), export_name];
    return join(this.#directory, `${hashText(JSON.stringify(key))}.json`);
  }
}

function isEntry(value: unknown): value is Entry {
  if (!isObject(value) || !isObject(value["schemas"])) return false;
  const { fingerprint } = value;
  return (
    isObject(value["schemas"][""]) &&
    isObject(fingerprint) &&
    isObject(fingerprint["files"]) &&
    isObject(fingerprint["packages"])
  );
}

const mapKeys = <T>(
  record: Record<string, T>,
  map: (key: string) => string,
): Record<string, T> =>
  Object.fromEntries(
    Object.entries(record).map(([key, value]) => [map(key), value]),
  );

function versionOf(packageJson: string): string {
  const text = readFileSync(new URL(packageJson, import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Without loading it, which takes half a second. */
function compilerVersion(): string {
  const require = createRequire(import.meta.url);
  return (require("typescript/package.json") as { version: string }).version;
}
