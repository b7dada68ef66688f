// The official in-memory dev server, which we measure ourselves against and import from. Installed when it is first needed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { alone } from "./alone.mjs";
import { fail, root } from "./setup.mjs";

const peer = `${root}/bench/peer`;

const isInstalled = () =>
  existsSync(`${peer}/node_modules/@langchain/langgraph-api`);

export async function installPeer() {
  if (isInstalled()) return;
  await alone("peer", () => {
    if (!isInstalled()) install();
  });
}

function install() {
  console.log("Installing the official dev server …");
  const args = ["install", "--no-save", "--ignore-scripts", "--loglevel=error"];
  const { status } = spawnSync("npm", args, {
    cwd: peer,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) fail("npm install failed in bench/peer; see above");
}

if (import.meta.filename === process.argv[1]) await installPeer();
