-- What a run that is taken back gives its thread back. Values and interrupts need no copy: only the end of a run changes them.
alter table threads add column rest_status text collate "C" check (rest_status in ('idle', 'interrupted', 'error')); -- when nothing goes on
alter table threads add column rest_error jsonb;
alter table threads add column rest_graph jsonb;  -- {"graph_id", "assistant_id"} of its state

-- Pending writes of earlier runs, as they were before a run replaced them or took them away. Of one run per thread at a time.
create table replaced_writes (
  thread_id text collate "C" not null references threads on delete cascade,
  checkpoint_ns text collate "C" not null,
  checkpoint_id text collate "C" not null,
  task_id text collate "C" not null,
  idx integer not null,
  task_path text collate "C" not null,
  run_id text collate "C",
  channel text collate "C" not null,
  type text collate "C" not null,
  data bytea not null,
  replaced_by text collate "C" not null,
  primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);
