import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Duplex, Readable } from "node:stream";
import { Pipe } from "../protocol/pipe.ts";

/** A worker that is running somewhere: in a process of its own, or in ours for tests. */
export interface LaunchedWorker {
  pipe: Pipe;
  /** Null when it runs inside the server process. */
  pid: number | null;
  /** Ends it at once. Safe to call twice. */
  kill(): void;
  /** Resolves when it is gone, with a word on how it went. */
  exited: Promise<string>;
}

export type LaunchWorker = () => LaunchedWorker;

export interface LaunchParams {
  /** The worker program, an absolute path. */
  program: string;
  args: string[];
  cwd: string;
  env: Record<string, string | undefined>;
  /** Limit of its JavaScript heap in MB, past which it dies; null is Node's own. */
  heapMb: number | null;
  /** A line that the process wrote past our console hooks, as native code does. */
  onOutput: (stream: "stdout" | "stderr", line: string) => void;
}

/** The descriptor of the pipe in the worker: a socket pair, so that no print can damage a frame. */
const PIPE_FD = 3;

/** Starts a worker process. */
export function launchWorkerProcess(params: LaunchParams): LaunchedWorker {
  const child = spawn(
    process.execPath,
    [...nodeFlags(params), params.program, ...params.args],
    {
      cwd: params.cwd,
      env: params.env,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      // Ctrl-C is for the server alone, which ends its workers in its own time.
      detached: true,
      windowsHide: true,
    },
  );
  const exited = exitOf(child); // first: a process that could not be started has no pipes
  readLines(child.stdout, (line) => params.onOutput("stdout", line));
  readLines(child.stderr, (line) => params.onOutput("stderr", line));
  return {
    pipe: new Pipe(child.stdio[PIPE_FD] as Duplex),
    pid: child.pid ?? null,
    kill: () => void child.kill("SIGKILL"),
    exited,
  };
}

const nodeFlags = ({ heapMb }: LaunchParams): string[] => [
  "--enable-source-maps",
  ...(heapMb === null ? [] : [`--max-old-space-size=${heapMb}`]),
];

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`),
    );
  });
}

function readLines(
  stream: Readable | null,
  onLine: (line: string) => void,
): void {
  if (stream !== null) createInterface({ input: stream }).on("line", onLine);
}
