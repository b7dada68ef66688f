-- Periodic work that one instance at a time does. A lease, so that nobody has to say that its owner has died.
create table duties (
  name text primary key,
  owner text not null,
  lease_until integer not null
) strict;

create table crons (
  cron_id text primary key,
  assistant_id text not null references assistants on delete cascade,
  thread_id text references threads on delete cascade, -- null: a new thread for each of its runs
  on_run_completed text check (on_run_completed in ('delete', 'keep')),
  schedule text not null,
  timezone text,                               -- null: UTC
  end_time integer,
  enabled integer not null default 1,
  next_run_date integer,                       -- null: it will not fire again as it stands
  user_id text,
  metadata text not null default '{}',
  headers text not null default '{}',          -- of the request that made it, as far as graphs may see them
  payload text not null,                       -- the body of the run that each tick creates
  created_at integer not null,
  updated_at integer not null
) strict;
create index crons_due on crons (next_run_date, cron_id) where next_run_date is not null;
create index crons_by_created on crons (created_at, cron_id);
create index crons_of_assistant on crons (assistant_id);
create index crons_of_thread on crons (thread_id) where thread_id is not null;

-- A tick is written with the run that it creates, in one transaction: it can't fire twice, not even when a clock is set back.
create table cron_ticks (
  cron_id text not null references crons on delete cascade,
  scheduled_at integer not null,
  fired_at integer not null,
  run_id text not null,
  primary key (cron_id, scheduled_at)
) strict, without rowid;
create index cron_ticks_by_age on cron_ticks (fired_at);
