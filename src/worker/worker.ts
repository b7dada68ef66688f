import type {
  ServerNotices,
  ServerRequests,
  WorkerNotices,
  WorkerRequests,
} from "../protocol/frames.ts";
import type { GraphFailure } from "../protocol/graph-frames.ts";
import type { GraphRequests } from "../protocol/graph-frames.ts";
import { Peer } from "../protocol/peer.ts";
import type { Pipe } from "../protocol/pipe.ts";
import type { WorkerContext } from "./context.ts";
import { convertRequests } from "./convert-requests.ts";
import { embeddingRequests } from "./embed.ts";
import { graphRequests } from "./graph-requests.ts";
import { stateRequests } from "./graph-state.ts";
import { emptyProject, loadProject } from "./load-graphs.ts";
import { Prints } from "./prints.ts";
import { runRequests } from "./run-graph.ts";

export interface Worker {
  /** What this worker's graphs print; nothing is captured until `capture` is called. */
  prints: Prints;
  /** Resolves when the server is gone. */
  closed: Promise<Error | undefined>;
  close(): void;
}

/** Serves the server at the other end of the pipe until it is closed. */
export function serveWorker(pipe: Pipe): Worker {
  // The peer needs what it serves, and that needs the peer.
  const context = { project: emptyProject() } as WorkerContext;
  const prints = new Prints(
    (line) => void context.peer.notify("log", line).catch(() => {}), // no server, no log
  );
  const runs = runRequests({ context, prints });
  context.peer = new Peer<
    WorkerRequests,
    WorkerNotices,
    ServerRequests,
    ServerNotices
  >({
    pipe,
    runtime: `node ${process.versions.node}`,
    requests: {
      ping: async () => null,
      "project.load": (source) => load(context, source),
      ...runs.requests,
      ...stateRequests(context),
      ...graphRequests(context),
      ...embeddingRequests(context),
      ...convertRequests(),
    },
    notices: runs.notices,
  });
  const { closed } = context.peer;
  void closed.then(() => runs.abortAll());
  return { prints, closed, close: () => context.peer.close() };
}

async function load(
  { project, peer }: WorkerContext,
  source: GraphRequests["project.load"]["params"],
): Promise<GraphRequests["project.load"]["result"]> {
  const loaded: string[] = [];
  const failed: Record<string, GraphFailure> = {};
  const told: Promise<void>[] = [];
  await loadProject(project, source, {
    loaded: (graph_id, milliseconds) => {
      loaded.push(graph_id);
      told.push(peer.notify("graph.loaded", { graph_id, milliseconds }));
    },
    failed: (graph_id, failure) => {
      failed[graph_id] = failure;
      told.push(peer.notify("graph.failed", { graph_id, failure }));
    },
  });
  await Promise.all(told);
  return { loaded, failed };
}
