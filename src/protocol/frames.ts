/*
 * What goes over the pipe between the server and a worker. Three kinds of
 * frame, both ways: a request (answered by exactly one reply), its reply, and
 * a notice (answered by nothing). Everything in them is plain data that
 * MessagePack can say, so that a worker can be written in another language.
 *
 *   worker  → hello                  first frame of each side; other versions are refused
 *   server  → hello
 *   server  → project.load           then run.*, state.*, graph.*, store.embed, convert.* in any order, many at once
 *   worker  → checkpoint.*, store.*  while it serves those
 *   worker  → run.events, graph.loaded, graph.failed, log (notices)
 *   server  → ping                   at any time; answered at once, unless a graph keeps the CPU
 *   server  → run.cancel (notice)
 */
import type { CheckpointRequests } from "./checkpoint-frames.ts";
import type { ConvertRequests } from "./convert-frames.ts";
import type { EmbeddingRequests } from "./embedding-frames.ts";
import type { GraphFailure, GraphRequests } from "./graph-frames.ts";
import type { Method } from "./method.ts";
import type { RunNotices, RunRequests, RunControls } from "./run-frames.ts";
import type { StateRequests } from "./state-frames.ts";
import type { StoreRequests } from "./store-frames.ts";

/** Raised whenever a frame changes its meaning. */
export const PROTOCOL_VERSION = 1;

/** A frame larger than this is refused by the sender, with an error that names the size. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;

export type Frame =
  | { t: "hello"; version: number; runtime: string }
  | { t: "request"; id: number; method: string; params: unknown }
  | { t: "reply"; id: number; result: unknown }
  | { t: "failure"; id: number; error: RemoteError }
  | { t: "notice"; method: string; params: unknown };

/** An error that crosses the pipe. */
export interface RemoteError {
  /** The class of the exception, e.g. `GraphRecursionError`. */
  name: string;
  message: string;
  /** One of model/errors.ts when the other side may answer the client with it. */
  code?: string;
  stack?: string;
}

/** What the server asks of a worker. */
export type WorkerRequests = GraphRequests &
  RunRequests &
  StateRequests &
  EmbeddingRequests &
  ConvertRequests & {
    /** Answered at once by a worker whose event loop turns. */
    ping: Method<null, null>;
  };

/** What the server tells a worker. */
export type WorkerNotices = RunControls;

/** What a worker asks of the server. */
export type ServerRequests = CheckpointRequests & StoreRequests;

/** What a worker tells the server. */
export type ServerNotices = RunNotices & {
  "graph.loaded": { graph_id: string; milliseconds: number };
  "graph.failed": { graph_id: string; failure: GraphFailure };
  /** A line that a graph printed. `run_id` is null outside of a run. */
  log: { run_id: string | null; stream: "stdout" | "stderr"; text: string };
};
