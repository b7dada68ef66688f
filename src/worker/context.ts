import type {
  ServerNotices,
  ServerRequests,
  WorkerNotices,
  WorkerRequests,
} from "../protocol/frames.ts";
import type { Peer } from "../protocol/peer.ts";
import type { Project } from "./load-graphs.ts";

/** The server, as a worker sees it. */
export type ServerPeer = Peer<
  WorkerRequests,
  WorkerNotices,
  ServerRequests,
  ServerNotices
>;

/** What the parts of the worker program share. */
export interface WorkerContext {
  project: Project;
  peer: ServerPeer;
}
