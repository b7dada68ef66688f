import type { EventLog } from "../stream/event-log.ts";
import type { ServiceDeps } from "./deps.ts";

/** What the services of runs work with. */
export interface RunDeps extends ServiceDeps {
  events: EventLog;
  /** Deaths of its worker that end a run. */
  maxAttempts: number;
}
