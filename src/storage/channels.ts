/** Names for `Database.notify`. Payloads are ids only. */
export const CHANNELS = {
  /** A thread id: there may be a run of it to claim. */
  runs: "runs",
  /** A thread id: a run of it is to start later. */
  delays: "delays",
  /** A run id: its `cancel` column was set. */
  cancels: "cancels",
  /** A run id: it has ended. */
  finished: "finished",
  /** A run or thread id: there may be a webhook to be called. */
  webhooks: "webhooks",
  /** A thread id: events of it have been stored. For readers at other instances; who executes the run tells those at its own. */
  events: "events",
  /** A thread id: it is gone. */
  deleted: "deleted",
  /** A cron id: it may be due earlier than anybody waits for. */
  crons: "crons",
  /** The name of a duty: whoever had it has given it up. */
  duties: "duties",
} as const;
