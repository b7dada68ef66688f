import { execFileSync } from "node:child_process";

interface ProcessRow {
  pid: number;
  ppid: number;
  zombie: boolean;
  stopped: boolean;
}

/** Children and children's children of a process that run right now. */
export function descendantsOf(pid: number): number[] {
  const rows = processTable().filter(({ zombie }) => !zombie);
  const found = [pid];
  for (const parent of found)
    for (const row of rows) if (row.ppid === parent) found.push(row.pid);
  return found.slice(1);
}

/** A zombie that nobody has collected yet counts as gone. */
export function isAlive(pid: number): boolean {
  return processTable().some((row) => row.pid === pid && !row.zombie);
}

/** By SIGSTOP; a system call that was under way is finished first. */
export function isStopped(pid: number): boolean {
  return processTable().some((row) => row.pid === pid && row.stopped);
}

export function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already, which is all that was wanted.
  }
}

function processTable(): ProcessRow[] {
  const text = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], {
    encoding: "utf8",
  });
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [pid, ppid, stat] = line.trim().split(/\s+/);
      return {
        pid: Number(pid),
        ppid: Number(ppid),
        zombie: stat?.startsWith("Z") ?? false,
        stopped: stat?.startsWith("T") ?? false,
      };
    });
}
