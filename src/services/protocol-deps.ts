import type { RunDeps } from "./run-deps.ts";
import type { StateDeps } from "./state.ts";

/** What the commands of the streaming protocol work with. */
export type ProtocolDeps = RunDeps & StateDeps;

/** The parameters of a command, as they came. */
export type CommandParams = Record<string, unknown>;

/** What the client is told: the result, and facts beside it. */
export interface Done {
  result: object;
  meta?: { thread_id: string; applied_through_seq: number };
}
