-- A thread is stopped when it is interrupted or in error, which is what an inbox asks for together with a tenant, a user or
-- a graph. So thread_metadata_entries also has how many threads with an entry are stopped: as entries with the status
-- in front, interrupted "team":"blue". Threads that are idle or busy have none of these: a run that ends well writes none.

create function stopped_entries(of_status text, document jsonb) returns text[] language sql immutable as $$
  select case when of_status in ('interrupted', 'error')
    then array(select of_status || ' ' || entry from unnest(metadata_entries(document)) as entry)
    else '{}' end
$$;

create function thread_stopped() returns trigger language plpgsql as $$
declare
  before text[] := stopped_entries(old.status, old.metadata);  -- `old` is null for a new thread, `new` for one that goes
  after text[] := stopped_entries(new.status, new.metadata);
  gained text[] := array(select unnest(after) except select unnest(before));
  lost text[] := array(select unnest(before) except select unnest(after));
begin
  call count_entries(gained);
  call uncount_entries(lost);
  return null;
end $$;

-- Their names come after those of the other triggers, so that everybody who counts takes the totals in the same order.
create trigger threads_stopped_inserted after insert on threads
  for each row when (not new.temporary and new.status in ('interrupted', 'error')) execute function thread_stopped();
create trigger threads_stopped_deleted after delete on threads
  for each row when (not old.temporary and old.status in ('interrupted', 'error')) execute function thread_stopped();
create trigger threads_stopped_moved after update of status, metadata on threads
  for each row when (
    not old.temporary
    and (old.status in ('interrupted', 'error') or new.status in ('interrupted', 'error'))
    and (old.status <> new.status or old.metadata <> new.metadata))
  execute function thread_stopped();

-- Of two threads on the way from idle to busy and back, each held the total that the other was waiting for when their
-- connections had a shard in common: so these are taken in one order too.
create or replace function thread_moved() returns trigger language plpgsql as $$
begin
  if old.status < new.status then
    call count_status(old.status, -1);
    call count_status(new.status, 1);
  else
    call count_status(new.status, 1);
    call count_status(old.status, -1);
  end if;
  return null;
end $$;

-- Those that are there. NOTE: after the triggers, whose making keeps writers out until this is committed.
insert into thread_metadata_entries (entry, shard, total)
  select unnest(stopped_entries(status, metadata)), 0, count(*) from threads
  where not temporary and status in ('interrupted', 'error')
  group by 1;
