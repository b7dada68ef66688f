-- Timestamps are milliseconds since 1970 (UTC), JSON is text, booleans are 0 and 1: see storage/columns.ts.

create table threads (
  thread_id text primary key,
  created_at integer not null,
  updated_at integer not null,
  state_updated_at integer not null,
  metadata text not null default '{}',
  config text not null default '{}',
  status text not null default 'idle' check (status in ('idle', 'busy', 'interrupted', 'error')),
  ttl_strategy text check (ttl_strategy in ('delete', 'keep_latest')),
  ttl_minutes real,
  expires_at integer,
  temporary integer not null default 0,        -- hidden thread of a stateless run; goes when the run ends
  run_seq integer not null default 0,          -- the last runs.seq given out
  event_seq integer not null default 0,        -- no event of a finished run has a higher seq
  values_paged integer not null default 0,     -- the values are in thread_value_pages
  -- What may be large comes last: to read a column, SQLite walks through all that is before it.
  error text,
  interrupts text not null default '{}',       -- task id -> interrupts that wait for an answer
  "values" text,                               -- null until there is a state, and when it is in pages
  check (not values_paged or "values" is null)
) strict;

-- The values of a thread that has many, as JSON text in pieces: a turn writes those that it changed.
create table thread_value_pages (
  thread_id text not null references threads on delete cascade,
  channel_no integer not null,
  page_no integer not null,                    -- inside of its channel
  hash text not null,
  text text not null,
  primary key (thread_id, channel_no, page_no)
) strict;

-- One per sort order of the thread search; thread_id is the tie-break.
create index threads_by_updated on threads (updated_at, thread_id) where not temporary;
create index threads_by_created on threads (created_at, thread_id) where not temporary;
create index threads_by_state_updated on threads (state_updated_at, thread_id) where not temporary;
create index threads_by_status on threads (status, thread_id) where not temporary;
-- Every entry of the metadata of threads that is a scalar and short, as storage/metadata-entries.ts writes it, and how
-- many threads have it. All of this leaves temporary threads out, and is kept by the triggers below whoever writes.
create table thread_metadata_entries (
  entry_id integer primary key,
  entry text not null unique,                  -- "team":"blue"
  total integer not null
) strict;
create table thread_metadata (
  entry_id integer not null,
  thread_id text not null,
  primary key (entry_id, thread_id)
) strict, without rowid;
create table thread_status_totals (
  status text primary key,
  total integer not null default 0
) strict, without rowid;
insert into thread_status_totals (status) values ('idle'), ('busy'), ('interrupted'), ('error');

-- metadata_entries(a, b) is a JSON array of the entries of a that b does not have.
create trigger threads_inserted after insert on threads when not new.temporary begin
  update thread_status_totals set total = total + 1 where status = new.status;
  insert into thread_metadata_entries (entry, total)
    select value, 1 from json_each(metadata_entries(new.metadata, '{}')) where true
    on conflict (entry) do update set total = total + 1;
  insert into thread_metadata (entry_id, thread_id)
    select entry_id, new.thread_id
    from json_each(metadata_entries(new.metadata, '{}')) cross join thread_metadata_entries on entry = value;
end;

create trigger threads_deleted after delete on threads when not old.temporary begin
  update thread_status_totals set total = total - 1 where status = old.status;
  delete from thread_metadata
    where thread_id = old.thread_id and entry_id in (
      select entry_id
      from json_each(metadata_entries(old.metadata, '{}')) cross join thread_metadata_entries on entry = value);
  update thread_metadata_entries set total = total - 1
    where entry in (select value from json_each(metadata_entries(old.metadata, '{}')));
  delete from thread_metadata_entries
    where total = 0 and entry in (select value from json_each(metadata_entries(old.metadata, '{}')));
end;

create trigger threads_moved after update of status on threads
when not old.temporary and old.status <> new.status begin
  update thread_status_totals set total = total - 1 where status = old.status;
  update thread_status_totals set total = total + 1 where status = new.status;
end;

create trigger threads_gained after update of metadata on threads
when not old.temporary and old.metadata <> new.metadata and metadata_entries(new.metadata, old.metadata) <> '[]' begin
  insert into thread_metadata_entries (entry, total)
    select value, 1 from json_each(metadata_entries(new.metadata, old.metadata)) where true
    on conflict (entry) do update set total = total + 1;
  insert into thread_metadata (entry_id, thread_id)
    select entry_id, new.thread_id
    from json_each(metadata_entries(new.metadata, old.metadata)) cross join thread_metadata_entries on entry = value;
end;

create trigger threads_lost after update of metadata on threads
when not old.temporary and old.metadata <> new.metadata and metadata_entries(old.metadata, new.metadata) <> '[]' begin
  delete from thread_metadata
    where thread_id = old.thread_id and entry_id in (
      select entry_id
      from json_each(metadata_entries(old.metadata, new.metadata)) cross join thread_metadata_entries on entry = value);
  update thread_metadata_entries set total = total - 1
    where entry in (select value from json_each(metadata_entries(old.metadata, new.metadata)));
  delete from thread_metadata_entries
    where total = 0 and entry in (select value from json_each(metadata_entries(old.metadata, new.metadata)));
end;

-- For the sweep of what stateless runs leave behind.
create index threads_temporary on threads (updated_at) where temporary = 1;
create index threads_by_expiry on threads (expires_at) where expires_at is not null;

-- One row per incarnation of a server process. A run's owner is one of them, so that an owner cannot vanish under it.
create table instances (
  instance_id text primary key,
  beat integer not null default 0,
  lease_until integer not null,
  info text
) strict;

-- A run row is the job: there is no second queue that could disagree with it.
create table runs (
  run_id text primary key,
  thread_id text not null references threads on delete cascade,
  assistant_id text not null,
  graph_id text not null,
  seq integer not null,                        -- first in, first out inside the thread
  q text not null check (q in ('ready', 'behind', 'delayed', 'running', 'done')),
  status text not null default 'pending'
    check (status in ('pending', 'running', 'success', 'error', 'timeout', 'interrupted')),
  multitask_strategy text not null check (multitask_strategy in ('reject', 'rollback', 'interrupt', 'enqueue')),
  run_at integer not null,                     -- not before
  attempt integer not null default 0,
  deaths integer not null default 0,           -- of workers, that were this run's doing
  max_attempts integer not null default 3,
  owner text references instances,
  cancel text check (cancel in ('interrupt', 'rollback')),
  cancel_reason text,
  input_applied integer not null default 0,    -- a checkpoint holds the input: never submit it again
  last_checkpoint_id text,
  keeps_events integer not null default 1,     -- somebody may come back for its stream
  kwargs text not null,
  metadata text not null default '{}',
  error text,
  created_at integer not null,
  updated_at integer not null,
  started_at integer,
  finished_at integer,
  check ((q = 'running') = (owner is not null))
) strict;

-- THE invariant: at most one run of a thread has the turn.
create unique index runs_one_turn on runs (thread_id) where q in ('ready', 'running');
create unique index runs_order on runs (thread_id, seq);
create index runs_claim on runs (run_at, run_id) where q = 'ready';
create index runs_waiting on runs (thread_id, seq) where q in ('behind', 'delayed');
create index runs_due on runs (run_at) where q = 'delayed';
create index runs_owned on runs (owner) where q = 'running';
create index runs_newest on runs (thread_id, created_at desc);

create table checkpoints (
  thread_id text not null references threads on delete cascade,
  checkpoint_ns text not null,
  checkpoint_id text not null,
  parent_checkpoint_id text,
  run_id text,
  created_at integer not null,
  metadata text not null,
  checkpoint text not null,                    -- as LangGraph gives it, without channel_values
  channels text not null,                      -- channel -> its value, or the hashes that make it up
  primary key (thread_id, checkpoint_ns, checkpoint_id)
) strict;
create index checkpoints_of_run on checkpoints (thread_id, run_id);

-- Values by content, once per thread: an element of a list that is in a thousand checkpoints is here once.
create table checkpoint_values (
  thread_id text not null references threads on delete cascade,
  hash text not null,
  type text not null,
  data blob not null,
  primary key (thread_id, hash)
) strict;

create table checkpoint_writes (
  thread_id text not null references threads on delete cascade,
  checkpoint_ns text not null,
  checkpoint_id text not null,
  task_id text not null,
  idx integer not null,
  task_path text not null default '',
  run_id text,                                 -- who made it: a run may write to a checkpoint of the run before it
  channel text not null,
  type text not null,
  data blob not null,
  primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
) strict;

-- The streams: batches of events of one run, in the order of their seq, which grows per thread over all runs.
create table event_segments (
  thread_id text not null references threads on delete cascade,
  first_seq integer not null,
  last_seq integer not null,
  run_id text not null,
  attempt integer not null,
  events text not null,                        -- one line per event: see stream/event-log.ts
  created_at integer not null,
  primary key (thread_id, first_seq)
) strict;
create index event_segments_of_run on event_segments (run_id, first_seq);
create index event_segments_by_age on event_segments (created_at);

create table assistants (
  assistant_id text primary key,
  graph_id text not null,
  name text not null,
  description text,
  config text not null default '{}',
  context text not null default '{}',
  metadata text not null default '{}',
  version integer not null default 1,
  created_at integer not null,
  updated_at integer not null
) strict;
create index assistants_by_created on assistants (created_at, assistant_id);
create index assistants_of_graph on assistants (graph_id);

create table assistant_versions (
  assistant_id text not null references assistants on delete cascade,
  version integer not null,
  graph_id text not null,
  name text not null,
  description text,
  config text not null,
  context text not null,
  metadata text not null,
  created_at integer not null,
  primary key (assistant_id, version)
) strict;

-- namespace is the labels joined by '.', which no label may contain; a prefix is then a range of the primary key.
create table store_items (
  namespace text not null,
  key text not null,
  value text not null,
  created_at integer not null,
  updated_at integer not null,
  ttl_minutes real,
  expires_at integer,
  primary key (namespace, key)
) strict;
create index store_items_by_updated on store_items (updated_at desc, namespace, key);
create index store_items_by_expiry on store_items (expires_at) where expires_at is not null;
