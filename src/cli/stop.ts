import { constants } from "node:os";
import type { RunningServer } from "../config/startup.ts";
import type { Report } from "./report.ts";

/** npm passes the terminal's signal on once more: what comes this soon after the first is the same key press. */
const SAME_SIGNAL_MS = 500;

/** The first signal drains and closes, a later one exits at once. Ends the process. */
export function stopOnSignal(
  starting: Promise<RunningServer>,
  report: Report,
): void {
  let firstAt: number | null = null;
  const onSignal = (signal: "SIGINT" | "SIGTERM" | "SIGHUP") => {
    if (firstAt === null) {
      firstAt = Date.now();
      report.stopping();
      void stop(starting, report);
    } else if (Date.now() - firstAt > SAME_SIGNAL_MS)
      process.exit(128 + constants.signals[signal]);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("SIGHUP", onSignal);
  // A terminal that is gone must not turn the stop into a crash.
  process.stdout.on("error", () => {});
}

async function stop(
  starting: Promise<RunningServer>,
  report: Report,
): Promise<void> {
  const server = await starting.catch(() => null);
  if (server === null) return; // whoever started it tells why
  try {
    await server.close();
  } catch (error) {
    process.stderr.write(`error while stopping: ${String(error)}\n`);
    process.exit(1);
  }
  report.stopped();
  process.exit(0);
}
