/**
 * What holds at the end of every transaction, beyond what the schema enforces.
 * Each query finds the rows for which it does not.
 */
export const INVARIANTS: Record<string, string> = {
  "a thread with a run to do is not busy": `
    select thread_id, status from threads
    where status <> 'busy'
      and exists (select 1 from runs where runs.thread_id = threads.thread_id and q <> 'done')`,

  "a thread without a run to do is busy": `
    select thread_id from threads
    where status = 'busy'
      and not exists (select 1 from runs where runs.thread_id = threads.thread_id and q <> 'done')`,

  "a thread in error does not say why, or one that is not does": `
    select thread_id, status, error from threads
    where (status = 'error') <> (error is not null)`,

  "runs wait behind nobody": `
    select run_id from runs as waiting
    where q = 'behind' and not exists (
      select 1 from runs
      where thread_id = waiting.thread_id and q in ('ready', 'running'))`,

  "a run has the turn of one that came before it": `
    select late.run_id from runs as late join runs as early using (thread_id)
    where late.q in ('ready', 'running') and early.q = 'behind' and early.seq < late.seq`,

  "state and place in the queue disagree": `
    select run_id, q, status from runs
    where (q in ('ready', 'behind', 'delayed') and status <> 'pending')
       or (q = 'running' and status <> 'running')
       or (q = 'done' and (status in ('pending', 'running') or finished_at is null))`,

  "a run has a number that its thread has not given out": `
    select run_id, seq, run_seq from runs join threads using (thread_id)
    where seq > run_seq`,

  "the input of a run that has written is not marked as applied": `
    select run_id, checkpoint_id from runs join checkpoints using (thread_id, run_id)
    where not input_applied and checkpoint_ns = ''
      and cast(checkpoints.metadata ->> 'step' as integer) <> -2`,

  "a checkpoint has lost the one before it": `
    select thread_id, checkpoint_id, parent_checkpoint_id from checkpoints as child
    where parent_checkpoint_id is not null and not exists (
      select 1 from checkpoints
      where thread_id = child.thread_id
        and checkpoint_ns = child.checkpoint_ns
        and checkpoint_id = child.parent_checkpoint_id)`,

  "a checkpoint belongs to a run that is not there": `
    select thread_id, checkpoint_id, run_id from checkpoints
    where run_id is not null and run_id not in (select run_id from runs)`,

  // Checkpoints of a copy belong to no run: it may have been made before the first run of the thread had ended.
  "a thread shows no values, and its runs have ended": `
    select thread_id from threads
    where "values" is null and not values_paged and status <> 'busy' and exists (
      select 1 from checkpoints
      where checkpoints.thread_id = threads.thread_id and run_id is not null)`,

  // What clients of the crash tests say of the threads that they make; copies inherit it.
  "a thread with supersteps, or a copy of one, is there in part": `
    select thread_id from threads
    where cast(metadata ->> 'supersteps' as integer) > (
      select count(*) from checkpoints where checkpoints.thread_id = threads.thread_id)`,

  "a batch of events does not have as many lines as numbers": `
    select thread_id, first_seq, last_seq from event_segments
    where length(events) - length(replace(events, '\n', '')) <> last_seq - first_seq`,

  "batches of events overlap, or one is missing inside an attempt": `
    select * from (
      select thread_id, run_id, attempt, first_seq,
        lag(last_seq) over thread_order as before,
        lag(run_id) over thread_order = run_id
          and lag(attempt) over thread_order = attempt as is_same
      from event_segments
      window thread_order as (partition by thread_id order by first_seq))
    as pairs where first_seq <= before or (is_same and first_seq <> before + 1)`,

  "the events of an attempt do not begin at its beginning": `
    select run_id, attempt, events from event_segments as segment
    where run_id in (select run_id from runs where keeps_events)
      and events not like 'metadata\t%'
      and not exists (
        select 1 from event_segments
        where run_id = segment.run_id and attempt = segment.attempt
          and first_seq < segment.first_seq)`,

  "the stream of a run that has ended does not end": `
    select * from (
      select run_id, (
        select events from event_segments
        where run_id = runs.run_id order by first_seq desc limit 1) as last
      from runs
      where q = 'done' and attempt > 0) as ended
    where coalesce(last, '') not like '%end\t{%'`,

  "events of a thread are numbered above what it has given out": `
    select thread_id, event_seq, last_seq from event_segments
      join threads using (thread_id) join runs using (thread_id, run_id)
    where q = 'done' and last_seq > event_seq`,
};
