-- Periodic work that one instance at a time does. A lease, so that nobody has to say that its owner has died.
create table duties (
  name text collate "C" primary key,
  owner text collate "C" not null,
  lease_until timestamptz(3) not null
);

create table crons (
  cron_id text collate "C" primary key,
  assistant_id text collate "C" not null references assistants on delete cascade,
  thread_id text collate "C" references threads on delete cascade, -- null: a new thread for each of its runs
  on_run_completed text collate "C" check (on_run_completed in ('delete', 'keep')),
  schedule text collate "C" not null,
  timezone text collate "C",                               -- null: UTC
  end_time timestamptz(3),
  enabled boolean not null default true,
  next_run_date timestamptz(3),                       -- null: it will not fire again as it stands
  user_id text collate "C",
  metadata jsonb not null default '{}',
  headers json not null default '{}',          -- of the request that made it, as far as graphs may see them
  payload json not null,                       -- the body of the run that each tick creates
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);
create index crons_due on crons (next_run_date, cron_id) where next_run_date is not null;
create index crons_by_created on crons (created_at, cron_id);
create index crons_of_assistant on crons (assistant_id);
create index crons_of_thread on crons (thread_id) where thread_id is not null;

-- A tick is written with the run that it creates, in one transaction: it can't fire twice, not even when a clock is set back.
create table cron_ticks (
  cron_id text collate "C" not null references crons on delete cascade,
  scheduled_at timestamptz(3) not null,
  fired_at timestamptz(3) not null,
  run_id text collate "C" not null,
  primary key (cron_id, scheduled_at)
);
create index cron_ticks_by_age on cron_ticks (fired_at);
