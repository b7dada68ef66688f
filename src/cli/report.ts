import type { GraphNews } from "../config/startup.ts";

/** Tells how the start goes: as text for people, or as lines of the log. */
export interface Report {
  listening(url: string | null, warnings: string[]): void;
  graph(graph: GraphNews): void;
  /** Every graph has loaded or failed. */
  ready(): void;
  stopping(): void;
  stopped(): void;
}
