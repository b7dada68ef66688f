import type { Logger } from "../lib/logger.ts";
import type { TtlRule } from "../model/thread.ts";
import type { Database } from "../storage/database.ts";
import type { Workers } from "../workers/port.ts";

/** What most services work with. Each function takes the part of it that it needs. */
export interface ServiceDeps {
  database: Database;
  workers: Workers;
  log: Logger;
  /** `checkpointer.ttl` of langgraph.json, for threads that come without one of their own; null: they live for ever. */
  defaultTtl: TtlRule | null;
}
