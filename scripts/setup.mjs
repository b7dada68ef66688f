// What a fresh clone needs before anything else runs. Plain Node: nothing is installed yet.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { build, isBuilt, root } from "./build.mjs";

export { root };

/** Installs and builds what is missing or stale. */
export async function setUp({ withBuild = true } = {}) {
  requireNode();
  if (isInstalled() && (!withBuild || isBuilt())) return;
  await alone(() => {
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

/** Two commands that are started together set up one after the other. */
async function alone(work) {
  const lock = `${root}/.cache/setup.lock`;
  mkdirSync(`${root}/.cache`, { recursive: true });
  while (!taken(lock)) await new Promise((resolve) => setTimeout(resolve, 200));
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.on("exit", release);
  work();
  process.off("exit", release);
  release();
}

/** A directory is made by one process only; one left behind by a process that is gone is removed. */
function taken(lock) {
  try {
    mkdirSync(lock);
    writeFileSync(`${lock}/pid`, String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (
    existsSync(`${lock}/pid`) &&
    !isAlive(Number(readFileSync(`${lock}/pid`, "utf8")))
  )
    rmSync(lock, { recursive: true, force: true });
  return false;
}

function isAlive(pid) {
  if (!(pid > 0)) return true; // its owner is about to write it
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

export function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

// npm run build: what is missing or stale, and nothing else.
if (process.argv[1] === fileURLToPath(import.meta.url)) await setUp();
