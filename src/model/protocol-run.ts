import type { ProtocolRun, StreamMode } from "./run.ts";
import type { RunCreate, ThreadRunCreate } from "./run-requests.ts";

/** What is in the log of a run of the streaming protocol; content blocks of messages come in the place of chunks. */
const MODES: StreamMode[] = [
  "values",
  "updates",
  "messages-tuple",
  "tools",
  "custom",
  "tasks",
];

export type ProtocolRunCreate = ThreadRunCreate & Pick<RunCreate, "protocol">;

/** The same request, for a run that streams all that the protocol has. */
export const inProtocol = (
  request: ThreadRunCreate,
  protocol: ProtocolRun,
): ProtocolRunCreate => ({
  ...request,
  stream_mode: MODES,
  stream_subgraphs: true,
  stream_resumable: true,
  protocol,
});

/** A request for a run in the background says nothing about its stream: its client follows the thread, or nobody does. */
export const asksForStates = ({ stream_mode }: RunCreate): boolean =>
  stream_mode.length === 1 && stream_mode[0] === "values";
