-- Where the end of a run is told; null: nowhere. Decided when the run is accepted.
alter table runs add column webhook text collate "C";

-- One row per end of a run that is to be told, written in the transaction that ends it. It references nothing: the
-- end of a run is told also when its thread is gone meanwhile.
create table webhook_deliveries (
  delivery_id text collate "C" primary key,
  run_id text collate "C" not null,
  thread_id text collate "C" not null,
  url text collate "C" not null,
  host text collate "C" not null,                          -- with the port; empty for a path of this server
  status text collate "C" not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
  attempts integer not null default 0,
  owner text collate "C",                                  -- who is sending it now
  next_attempt_at timestamptz(3) not null,            -- while somebody sends it: when others may
  give_up_at timestamptz(3) not null,
  response_status integer,                     -- of the last attempt; null when there was no answer
  last_error text collate "C",
  metadata jsonb not null,                      -- of the thread: who sees that sees the delivery
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  delivered_at timestamptz(3),
  expires_at timestamptz(3) not null,
  payload json not null
);
create index webhook_deliveries_waiting on webhook_deliveries (host, next_attempt_at) where status = 'pending';
create index webhook_deliveries_newest on webhook_deliveries (created_at, delivery_id);
create index webhook_deliveries_of_run on webhook_deliveries (run_id);
create index webhook_deliveries_by_expiry on webhook_deliveries (expires_at);
