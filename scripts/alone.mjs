// Two processes that are started together make the same thing one after the other, so the second finds it made.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { root } from "./build.mjs";

/** What is made under the same name is made by one process at a time. */
export async function alone(name, work) {
  const lock = `${root}/.cache/${name}.lock`;
  mkdirSync(`${root}/.cache`, { recursive: true });
  while (!taken(lock)) await new Promise((resolve) => setTimeout(resolve, 200));
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.on("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
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
