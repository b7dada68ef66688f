// Builds dist/: plain tsc, then what is no TypeScript (SQL, the docs page) beside the code that reads it.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url)).slice(0, -1);
/** What dist/ was built from. Inside it, so that removing dist/ removes both. */
const STAMP = `${root}/dist/.built-from`;

export const isBuilt = () =>
  existsSync(STAMP) && readFileSync(STAMP, "utf8") === fingerprint();

export function build() {
  console.log("Building …");
  const built = fingerprint();
  removeOrphans();
  rmSync(STAMP, { force: true });
  const tsc = `${root}/node_modules/typescript/bin/tsc`;
  const args = [tsc, "-p", "tsconfig.build.json"];
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
  for (const file of filesIn("src"))
    if (!file.endsWith(".ts"))
      cpSync(`${root}/src/${file}`, `${root}/dist/${file}`);
  chmodSync(`${root}/dist/cli/index.js`, 0o755);
  writeFileSync(STAMP, built);
}

/** A hash of everything that the result depends on. */
function fingerprint() {
  const hash = createHash("sha256");
  const files = filesIn("src")
    .filter((file) => !file.endsWith(".test.ts"))
    .map((file) => `src/${file}`);
  for (const file of [
    ...files,
    "tsconfig.json",
    "tsconfig.build.json",
    "package-lock.json",
    "scripts/build.mjs",
  ])
    hash.update(`${file}\0`).update(readFileSync(`${root}/${file}`));
  return hash.digest("hex");
}

/** What a build before this one has made of a source that is gone; tsc never removes it. */
function removeOrphans() {
  const sources = new Set(filesIn("src"));
  for (const file of filesIn("dist")) {
    const source = file.replace(/(\.d)?\.[cm]?[jt]s(\.map)?$/, ".ts");
    if (!sources.has(source) && !sources.has(file) && !file.startsWith("."))
      rmSync(`${root}/dist/${file}`);
  }
}

/** Files below a folder, relative to it, in one order on every machine. */
function filesIn(folder) {
  if (!existsSync(`${root}/${folder}`)) return [];
  return readdirSync(`${root}/${folder}`, {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .map((path) =>
      path.slice(`${root}/${folder}/`.length).replaceAll("\\", "/"),
    )
    .sort();
}
