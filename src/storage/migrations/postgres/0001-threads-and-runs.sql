-- The tables of ../sqlite, in the types of Postgres. Text compares by its bytes, as in SQLite. JSON that is only ever
-- read whole is json, which keeps it as it was said; jsonb is what conditions look into.

create table threads (
  thread_id text collate "C" primary key,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  state_updated_at timestamptz(3) not null,
  metadata jsonb not null default '{}',
  config jsonb not null default '{}',
  status text collate "C" not null default 'idle' check (status in ('idle', 'busy', 'interrupted', 'error')),
  ttl_strategy text collate "C" check (ttl_strategy in ('delete', 'keep_latest')),
  ttl_minutes double precision,
  expires_at timestamptz(3),
  temporary boolean not null default false,        -- hidden thread of a stateless run; goes when the run ends
  run_seq bigint not null default 0,          -- the last runs.seq given out
  event_seq bigint not null default 0,        -- no event of a finished run has a higher seq
  values_paged boolean not null default false,     -- the values are in thread_value_pages
  -- What may be large comes last: to read a column, an engine walks through all that is before it.
  error jsonb,
  interrupts json not null default '{}',       -- task id -> interrupts that wait for an answer
  "values" json,                               -- null until there is a state, and when it is in pages
  check (not values_paged or "values" is null)
);

-- The values of a thread that has many, as JSON text in pieces: a turn writes those that it changed.
create table thread_value_pages (
  thread_id text collate "C" not null references threads on delete cascade,
  channel_no integer not null,
  page_no integer not null,                    -- inside of its channel
  hash text collate "C" not null,
  text text collate "C" not null,
  primary key (thread_id, channel_no, page_no)
);

-- One per sort order of the thread search; thread_id is the tie-break.
create index threads_by_updated on threads (updated_at, thread_id) where not temporary;
create index threads_by_created on threads (created_at, thread_id) where not temporary;
create index threads_by_state_updated on threads (state_updated_at, thread_id) where not temporary;
create index threads_by_status on threads (status, thread_id) where not temporary;
create index threads_by_metadata on threads using gin (metadata jsonb_path_ops) where not temporary;

-- How many threads have which status, and which short scalar entry of metadata (as storage/metadata-entries.ts writes
-- it); temporary threads are left out. Kept by the triggers below whoever writes. Each total is a sum over shards:
-- connections that count at the same time do not wait for each other's rows.
create table thread_metadata_entries (
  entry text collate "C" not null,             -- "team":"blue"
  shard integer not null,
  total integer not null,
  primary key (entry, shard)
);
create table thread_status_totals (
  status text collate "C" not null,
  shard integer not null,
  total integer not null,
  primary key (status, shard)
);

create function own_shard() returns integer language sql stable as $$ select pg_backend_pid() % 64 $$;

create function metadata_entries(document jsonb) returns text[] language sql immutable as $$
  select case when count(*) > 256 then array['*'] else coalesce(array_agg(entry), '{}') end
  from (
    select cast(to_json(key) as text) || ':' || cast(value as text) as entry
    from jsonb_each(document)
    where jsonb_typeof(value) in ('string', 'boolean', 'null')
      or (jsonb_typeof(value) = 'number' and cast(value as text) ~ '^-?[0-9]{1,15}$')) as entries
  where octet_length(entry) <= 256
$$;

create procedure count_entries(gained text[]) language sql as $$
  insert into thread_metadata_entries (entry, shard, total)
    select entry, own_shard(), 1 from unnest(gained) as entry order by entry
    on conflict (entry, shard) do update set total = thread_metadata_entries.total + 1
$$;

-- From whichever shard has some and is free, so that what nobody has any more leaves no row.
create procedure uncount_entries(lost text[]) language plpgsql as $$
declare
  lost_entry text;
  from_shard integer;
begin
  for lost_entry in select unnest(lost) order by 1 loop
    select shard into from_shard from thread_metadata_entries
      where entry = lost_entry and total > 0
      order by shard <> own_shard() limit 1
      for update skip locked;
    insert into thread_metadata_entries (entry, shard, total)
      values (lost_entry, coalesce(from_shard, own_shard()), -1)
      on conflict (entry, shard) do update set total = thread_metadata_entries.total - 1
      returning shard into from_shard;
    delete from thread_metadata_entries where entry = lost_entry and shard = from_shard and total = 0;
  end loop;
end $$;

create procedure count_status(of_status text, change integer) language sql as $$
  insert into thread_status_totals (status, shard, total) values (of_status, own_shard(), change)
    on conflict (status, shard) do update set total = thread_status_totals.total + change
$$;

create function thread_inserted() returns trigger language plpgsql as $$
begin
  call count_status(new.status, 1);
  call count_entries(metadata_entries(new.metadata));
  return null;
end $$;
create trigger threads_inserted after insert on threads
  for each row when (not new.temporary) execute function thread_inserted();

create function thread_deleted() returns trigger language plpgsql as $$
begin
  call count_status(old.status, -1);
  call uncount_entries(metadata_entries(old.metadata));
  return null;
end $$;
create trigger threads_deleted after delete on threads
  for each row when (not old.temporary) execute function thread_deleted();

create function thread_moved() returns trigger language plpgsql as $$
begin
  call count_status(old.status, -1);
  call count_status(new.status, 1);
  return null;
end $$;
create trigger threads_moved after update of status on threads
  for each row when (not old.temporary and old.status <> new.status) execute function thread_moved();

create function thread_renamed() returns trigger language plpgsql as $$
declare
  before text[] := metadata_entries(old.metadata);
  after text[] := metadata_entries(new.metadata);
  gained text[] := array(select unnest(after) except select unnest(before));
  lost text[] := array(select unnest(before) except select unnest(after));
begin
  call count_entries(gained);
  call uncount_entries(lost);
  return null;
end $$;
create trigger threads_renamed after update of metadata on threads
  for each row when (not old.temporary and old.metadata <> new.metadata) execute function thread_renamed();

-- For the sweep of what stateless runs leave behind.
create index threads_temporary on threads (updated_at) where temporary;
create index threads_by_expiry on threads (expires_at) where expires_at is not null;

-- One row per incarnation of a server process. A run's owner is one of them, so that an owner cannot vanish under it.
create table instances (
  instance_id text collate "C" primary key,
  beat bigint not null default 0,
  lease_until timestamptz(3) not null,
  info jsonb
);

-- A run row is the job: there is no second queue that could disagree with it.
create table runs (
  run_id text collate "C" primary key,
  thread_id text collate "C" not null references threads on delete cascade,
  assistant_id text collate "C" not null,
  graph_id text collate "C" not null,
  seq bigint not null,                        -- first in, first out inside the thread
  q text collate "C" not null check (q in ('ready', 'behind', 'delayed', 'running', 'done')),
  status text collate "C" not null default 'pending'
    check (status in ('pending', 'running', 'success', 'error', 'timeout', 'interrupted')),
  multitask_strategy text collate "C" not null check (multitask_strategy in ('reject', 'rollback', 'interrupt', 'enqueue')),
  run_at timestamptz(3) not null,                     -- not before
  attempt integer not null default 0,
  deaths integer not null default 0,           -- of workers, that were this run's doing
  max_attempts integer not null default 3,
  owner text collate "C" references instances,
  cancel text collate "C" check (cancel in ('interrupt', 'rollback')),
  cancel_reason text collate "C",
  input_applied boolean not null default false,    -- a checkpoint holds the input: never submit it again
  last_checkpoint_id text collate "C",
  keeps_events boolean not null default true,     -- somebody may come back for its stream
  kwargs json not null,
  metadata jsonb not null default '{}',
  error jsonb,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  check ((q = 'running') = (owner is not null))
);

-- THE invariant: at most one run of a thread has the turn.
create unique index runs_one_turn on runs (thread_id) where q in ('ready', 'running');
create unique index runs_order on runs (thread_id, seq);
create index runs_claim on runs (run_at, run_id) where q = 'ready';
create index runs_waiting on runs (thread_id, seq) where q in ('behind', 'delayed');
create index runs_due on runs (run_at) where q = 'delayed';
create index runs_owned on runs (owner) where q = 'running';
create index runs_newest on runs (thread_id, created_at desc);

create table checkpoints (
  thread_id text collate "C" not null references threads on delete cascade,
  checkpoint_ns text collate "C" not null,
  checkpoint_id text collate "C" not null,
  parent_checkpoint_id text collate "C",
  run_id text collate "C",
  created_at timestamptz(3) not null,
  metadata jsonb not null,
  checkpoint json not null,                    -- as LangGraph gives it, without channel_values
  channels json not null,                      -- channel -> its value, or the hashes that make it up
  primary key (thread_id, checkpoint_ns, checkpoint_id)
);
create index checkpoints_of_run on checkpoints (thread_id, run_id);

-- Values by content, once per thread: an element of a list that is in a thousand checkpoints is here once.
create table checkpoint_values (
  thread_id text collate "C" not null references threads on delete cascade,
  hash text collate "C" not null,
  type text collate "C" not null,
  data bytea not null,
  primary key (thread_id, hash)
);

create table checkpoint_writes (
  thread_id text collate "C" not null references threads on delete cascade,
  checkpoint_ns text collate "C" not null,
  checkpoint_id text collate "C" not null,
  task_id text collate "C" not null,
  idx integer not null,
  task_path text collate "C" not null default '',
  run_id text collate "C",                                 -- who made it: a run may write to a checkpoint of the run before it
  channel text collate "C" not null,
  type text collate "C" not null,
  data bytea not null,
  primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

-- The streams: batches of events of one run, in the order of their seq, which grows per thread over all runs.
create table event_segments (
  thread_id text collate "C" not null references threads on delete cascade,
  first_seq bigint not null,
  last_seq bigint not null,
  run_id text collate "C" not null,
  attempt integer not null,
  events text collate "C" not null,                        -- one line per event: see stream/event-log.ts
  created_at timestamptz(3) not null,
  primary key (thread_id, first_seq)
);
create index event_segments_of_run on event_segments (run_id, first_seq);
create index event_segments_by_age on event_segments (created_at);

create table assistants (
  assistant_id text collate "C" primary key,
  graph_id text collate "C" not null,
  name text collate "C" not null,
  description text collate "C",
  config jsonb not null default '{}',
  context jsonb not null default '{}',
  metadata jsonb not null default '{}',
  version integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);
create index assistants_by_created on assistants (created_at, assistant_id);
create index assistants_of_graph on assistants (graph_id);

create table assistant_versions (
  assistant_id text collate "C" not null references assistants on delete cascade,
  version integer not null,
  graph_id text collate "C" not null,
  name text collate "C" not null,
  description text collate "C",
  config jsonb not null,
  context jsonb not null,
  metadata jsonb not null,
  created_at timestamptz(3) not null,
  primary key (assistant_id, version)
);

-- namespace is the labels joined by '.', which no label may contain; a prefix is then a range of the primary key.
create table store_items (
  namespace text collate "C" not null,
  key text collate "C" not null,
  value json not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  ttl_minutes double precision,
  expires_at timestamptz(3),
  primary key (namespace, key)
);
create index store_items_by_updated on store_items (updated_at desc, namespace, key);
create index store_items_by_expiry on store_items (expires_at) where expires_at is not null;
