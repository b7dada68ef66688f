import type { GraphFailure } from "../protocol/graph-frames.ts";

/** How a graph stands: news of it come while workers load, and when a reload changes it. */
export type GraphNews =
  | { graph_id: string; state: "loading" }
  | { graph_id: string; state: "loaded"; milliseconds: number }
  | { graph_id: string; state: "failed"; failure: GraphFailure };

/** What `startServer` tells whoever started it. */
export interface StartupEvents {
  /** The address is taken, `http://host:port`; what is sent there is answered as soon as the rest is loaded. Null after `--no-http`. */
  onListening?: (url: string | null) => void;
  onGraph?: (graph: GraphNews) => void;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://host:port`, with the port that was really taken; null after `--no-http`. */
  url: string | null;
  /** Resolves when each graph has loaded or has failed to. */
  ready: Promise<void>;
  /** Stops claiming, drains to the deadline, closes. Safe to call twice. */
  close(): Promise<void>;
}
