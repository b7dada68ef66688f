import type { EventLog } from "../stream/event-log.ts";
import type { ServiceDeps } from "./deps.ts";

/** What the services of runs work with. */
export interface RunDeps extends ServiceDeps {
  events: EventLog;
  /** Attempts that a run has when its workers keep dying. */
  maxAttempts: number;
}
