import { relative } from "node:path";
import type { Config } from "../config/config.ts";
import type { GraphNews } from "../config/startup.ts";
import { VERSION } from "../lib/package-version.ts";
import { painter, type Paint } from "../lib/paint.ts";
import { dataPlace } from "./data-place.ts";
import type { Report } from "./report.ts";

/** How often a load that takes long says that it still goes on. */
const STILL_LOADING_MS = 2000;

/** The start, as text for people. Whole lines only, so that lines of the log may come between. */
export class TextReport implements Report {
  readonly #config: Config;
  readonly #paint: Paint;
  readonly #startedAt = performance.now();
  readonly #loading: Set<string>;
  readonly #failed = new Set<string>();
  readonly #idWidth: number;
  #isStopping = false;
  #progress: NodeJS.Timeout | null = null;

  constructor(config: Config) {
    this.#config = config;
    this.#paint = painter(config.log.color);
    const ids = config.graphs.map((graph) => graph.graph_id);
    this.#loading = new Set(ids);
    this.#idWidth = Math.max(...ids.map((id) => id.length));
    const project = relative(process.cwd(), config.configPath);
    this.#line(
      `\n  ${this.#paint.bold(`Spool ${VERSION}`)} ${config.mode} · ${project}\n`,
    );
  }

  listening(url: string | null, warnings: string[]): void {
    const { workers } = this.#config;
    if (url !== null) this.#portTaken(url);
    for (const warning of warnings) this.#warning(warning);
    if (url === null) this.#line("  API     none: this server executes runs");
    else this.#addresses(url);
    this.#line(`  Data    ${dataPlace(this.#config)}\n`);
    const graphs = counted(this.#config.graphs.length, "graph");
    this.#line(`  Loading ${graphs} in ${counted(workers, "worker")} …`);
    this.#progress = setInterval(() => this.#stillLoading(), STILL_LOADING_MS);
    this.#progress.unref();
  }

  #portTaken(url: string): void {
    const { port } = this.#config;
    const taken = new URL(url).port;
    if (port.value !== 0 && taken !== String(port.value))
      this.#warning(`port ${port.value} is taken; using ${taken}`);
  }

  #addresses(url: string): void {
    const { mode, studioUrl } = this.#config;
    this.#line(`  API     ${this.#paint.bold(url)}`);
    this.#line(`  Docs    ${url}/docs`);
    if (mode === "dev") this.#line(`  Studio  ${studioUrl}?baseUrl=${url}`);
  }

  graph(graph: GraphNews): void {
    if (graph.state === "loading") return;
    this.#loading.delete(graph.graph_id);
    const id = graph.graph_id.padEnd(this.#idWidth);
    if (graph.state === "loaded") {
      this.#failed.delete(graph.graph_id);
      const time = `${Math.round(graph.milliseconds)} ms`;
      this.#line(`  ${this.#paint.green("✓")} ${id}  ${time}`);
      return;
    }
    this.#failed.add(graph.graph_id);
    const { name, message, file, line, column, frame } = graph.failure;
    const place = [file, line, column].filter((part) => part !== null);
    this.#line(
      `  ${this.#paint.red("✗")} ${id}  ${[place.join(":"), `${name}: ${message}`].filter(Boolean).join("  ")}`,
    );
    if (frame !== null) this.#line(indented(frame));
  }

  ready(): void {
    if (this.#progress !== null) clearInterval(this.#progress);
    if (this.#isStopping) return;
    const all = counted(this.#config.graphs.length, "graph");
    const served = this.#config.graphs.length - this.#failed.size;
    const graphs = this.#failed.size === 0 ? all : `${served} of ${all}`;
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    if (this.#loading.size > 0)
      this.#warning("no worker could start; see the log. It is tried again.");
    else
      this.#line(`  Ready after ${seconds} s with ${graphs}. Ctrl-C stops.\n`);
    if (this.#failed.size > 0 && this.#config.reload)
      this.#line("  Mend the file and it is loaded again.\n");
  }

  stopping(): void {
    this.#isStopping = true;
    this.#line("\n  Stopping … Ctrl-C again exits at once.");
  }

  stopped(): void {
    this.#line("  Stopped.");
  }

  #stillLoading(): void {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    if (this.#loading.size > 0)
      this.#line(
        `  … still loading ${[...this.#loading].join(", ")} (${seconds} s)`,
      );
  }

  #warning(text: string): void {
    this.#line(`  ${this.#paint.yellow("!")} ${text}`);
  }

  #line(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : "s"}`;

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
