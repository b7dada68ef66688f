import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/*
 * Which process of which machine an instance is, so that the next one there
 * can tell that it has died and need not wait for the end of its lease.
 */

export interface HostProcess {
  /** The machine since its last start, and its view of processes: a container has its own. */
  host: string;
  pid: number;
  /** Since the machine started, in clock ticks: a pid may be somebody else's later. Null where nothing tells. */
  started: string | null;
}

export const thisProcess = (): HostProcess => ({
  host: thisHost(),
  pid: process.pid,
  started: startOf(process.pid),
});

/** Only of a process of this host, and only when there is no doubt. */
export function hasDied(other: Partial<HostProcess> | null): boolean {
  if (other?.host !== thisHost() || typeof other.pid !== "number") return false;
  if (!isAlive(other.pid)) return true;
  const started = startOf(other.pid);
  return started !== null && other.started !== started;
}

function thisHost(): string {
  const bootId = attempt(() =>
    readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  );
  const processes = attempt(() => readlinkSync("/proc/self/ns/pid"));
  return [hostname(), bootId, processes].join(" ");
}

/** See proc_pid_stat(5): the 22nd field, counted behind the name, which may have spaces. */
const startOf = (pid: number): string | null =>
  attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  });

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (cause) {
    return (cause as { code?: string }).code === "EPERM";
  }
}

function attempt<T>(fn: () => T): T | null {
  try {
    return fn();
  } catch {
    return null; // not Linux, or not for us to see
  }
}
