import type { Config } from "../config/config.ts";
import type { RunningServer } from "../config/startup.ts";
import type { Logger } from "../lib/logger.ts";
import { prepareDataDir } from "./data-dir.ts";
import { LogReport } from "./log-report.ts";
import type { Report } from "./report.ts";
import { stopOnSignal } from "./stop.ts";
import { TextReport } from "./text-report.ts";

export interface ServeParams {
  config: Config;
  warnings: string[];
  onListening?: (server: RunningServer) => void;
}

/** Starts the server, tells how that goes, and leaves it running until a signal. */
export async function serve(params: ServeParams): Promise<void> {
  const { config, warnings } = params;
  // Before anything slow is loaded: the user sees at once that and what something starts.
  const early = config.log.json ? null : new TextReport(config);
  prepareDataDir(config.dataDir);
  const [{ startServer }, { createLogger }] = await Promise.all([
    // oxlint-disable-next-line no-restricted-imports -- the one door into the server, and only now
    import("../server.ts"),
    import("../lib/logger.ts"),
  ]);
  const log: Logger = createLogger(config.log);
  const report: Report = early ?? new LogReport(config, log);
  const starting = startServer(config, log, {
    onListening: (url) => report.listening(url, warnings),
    onGraph: (graph) => report.graph(graph),
  });
  stopOnSignal(starting, report);
  const server = await starting;
  params.onListening?.(server);
  await server.ready;
  report.ready();
}
