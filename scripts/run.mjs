// Runs a tool of node_modules, or any program, as a child that ends with us.
import { spawn } from "node:child_process";
import { root } from "./setup.mjs";

export const VITEST = "node_modules/vitest/vitest.mjs";

/** Runs a Node program with our terminal; resolves to its exit code. */
export function run(program, args, { node = process.execPath } = {}) {
  const child = spawn(node, [program, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  const pass = (signal) => child.kill(signal);
  process.on("SIGTERM", pass);
  process.on("SIGINT", () => {}); // the terminal has told the child as well
  return exitCode(child).finally(() => process.off("SIGTERM", pass));
}

/** Runs a Node program and keeps what it prints. */
export async function capture(program, args) {
  const child = spawn(process.execPath, [program, ...args], { cwd: root });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  return { code: await exitCode(child), output };
}

function exitCode(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
