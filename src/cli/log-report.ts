import type { Config } from "../config/config.ts";
import type { GraphNews } from "../config/startup.ts";
import type { Logger } from "../lib/logger.ts";
import { VERSION } from "../lib/package-version.ts";
import { dataPlace } from "./data-place.ts";
import type { Report } from "./report.ts";

/** The start as lines of a JSON log. */
export class LogReport implements Report {
  readonly #config: Config;
  readonly #log: Logger;

  constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
    const { mode, configPath, workers } = config;
    log.info(
      { version: VERSION, mode, configPath, data: dataPlace(config), workers },
      "starting",
    );
  }

  listening(url: string | null, warnings: string[]): void {
    for (const warning of warnings) this.#log.warn(warning);
    if (url === null) this.#log.info("executing runs, without an API");
    else this.#log.info({ url, docs: `${url}/docs` }, "listening");
  }

  graph(graph: GraphNews): void {
    if (graph.state === "loaded") this.#log.info(graph, "graph loaded");
    if (graph.state === "failed")
      this.#log.error(graph, "graph failed to load");
  }

  ready(): void {
    this.#log.info({ graphs: this.#config.graphs.length }, "ready");
  }

  stopping(): void {
    this.#log.info("stopping");
  }

  stopped(): void {
    this.#log.info("stopped");
  }
}
