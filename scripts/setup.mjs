// What a fresh clone needs before anything else runs. Plain Node: nothing is installed yet.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { alone } from "./alone.mjs";
import { build, isBuilt, root } from "./build.mjs";

export { root };

/** Installs and builds what is missing or stale. */
export async function setUp({ withBuild = true } = {}) {
  requireNode();
  if (isInstalled() && (!withBuild || isBuilt())) return;
  await alone("setup", () => {
    if (!isInstalled()) install();
    if (withBuild && !isBuilt()) build();
  });
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Node 20.19 or later is needed; this is ${process.versions.node}`);
}

/** What npm says it has put there is what the lockfile asks for. */
function isInstalled() {
  const installed = readJson("node_modules/.package-lock.json")?.packages;
  const wanted = readJson("package-lock.json")?.packages ?? {};
  if (installed === undefined) return false;
  return Object.entries(wanted).every(
    ([path, { version, link, optional }]) =>
      !path.startsWith("node_modules/") ||
      link ||
      installed[path]?.version === version ||
      // One for another platform is not there; one that is there is the right one.
      (optional && installed[path] === undefined),
  );
}

function install() {
  console.log("Installing dependencies …");
  const { NODE_ENV: _, ...env } = process.env; // "production" would leave the compiler out
  const npm = process.env.npm_execpath;
  // `npm ci` refuses a lockfile without the binaries of other platforms, and npm leaves out of it those that the
  // registry did not have when it was written. This takes the same versions with the same checksums, and
  // leaves the lockfile alone. No dependency needs its install script: what it would build is in the package.
  const args = [
    "install",
    "--no-save",
    "--ignore-scripts",
    "--include=dev",
    "--include=optional",
    "--loglevel=error",
  ];
  const options = { cwd: root, stdio: "inherit", env };
  const { status } = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync("npm", args, {
        ...options,
        shell: process.platform === "win32",
      });
  if (status !== 0) fail("npm install failed; see above");
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(`${root}/${file}`, "utf8"));
  } catch {
    return undefined; // missing, or half written by an install that was stopped
  }
}

export function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

// npm run build: what is missing or stale, and nothing else.
if (process.argv[1] === fileURLToPath(import.meta.url)) await setUp();
