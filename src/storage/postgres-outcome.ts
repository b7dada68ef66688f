/*
 * What became of a commit whose answer was lost. Postgres keeps the outcome of
 * every transaction by its id. But an id of which nothing has reached the disk
 * before a crash is given out again after it, and then the outcome is that of
 * somebody else's transaction. So a transaction notes the era of the server
 * that it began in: a crash begins another one. Recovery ends in a checkpoint,
 * which says which id comes next; one that is not below it was lost.
 */

/**
 * Differs before and after a crash: of the whole server, and of one of its
 * processes, which takes the shared memory along and with it the statistics.
 * NOTE: reading their age is slow before 15, where it goes through a file.
 */
export const ERA = `concat(pg_postmaster_start_time(), ' ',
  case when current_setting('server_version_num')::integer >= 150000
    then pg_stat_get_bgwriter_stat_reset_time() end)`;

/** For the id of a transaction as its parameter. */
export const OUTCOME = `
  select pg_xact_status(cast($1 as xid8)) as outcome, ${ERA} as era, next_xid as next_id,
    timeline_id = ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer as is_recovered
  from pg_control_checkpoint()`;

export interface OutcomeRow {
  /** `committed`, `aborted` or `in progress`; null when it is so long ago that nobody knows. */
  outcome: string | null;
  era: string;
  /** Of the last checkpoint: `<epoch>:<id>`. */
  next_id: string;
  /** False after a fail-over that no checkpoint has followed yet. */
  is_recovered: boolean;
}

export function isCommitted(
  { xid, era }: { xid: string; era: string },
  found: OutcomeRow,
): boolean {
  if (found.outcome !== "committed") return false;
  if (found.era === era || !found.is_recovered) return true;
  const [epoch = 0n, next = 0n] = found.next_id.split(":").map(BigInt);
  return BigInt(xid) < (epoch << 32n) + next;
}
