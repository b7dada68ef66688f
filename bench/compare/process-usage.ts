import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Ticks of /proc in a second: `getconf CLK_TCK`. */
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]));

export interface Usage {
  /** Seconds of CPU, user and system, since the process began. */
  cpuSeconds: number;
  /** Resident memory, MB. */
  rssMb: number;
}

/** What a process and all that it started have used. Linux only: reads /proc. */
export function treeUsage(pid: number): Usage {
  return treeOf(pid).map(usageOf).reduce(add, { cpuSeconds: 0, rssMb: 0 });
}

/** The process alone. */
export function usageOf(pid: number): Usage {
  try {
    // The name, in brackets, may hold anything: what counts stands after it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [user, system] = [Number(fields[11]), Number(fields[12])];
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const rss = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    return {
      cpuSeconds: (user + system) / TICKS_PER_SECOND,
      rssMb: rss / 1024,
    };
  } catch {
    return { cpuSeconds: 0, rssMb: 0 }; // it ended in between
  }
}

/** The process and its descendants. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

const add = (a: Usage, b: Usage): Usage => ({
  cpuSeconds: a.cpuSeconds + b.cpuSeconds,
  rssMb: a.rssMb + b.rssMb,
});
