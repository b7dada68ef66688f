-- A thread is stopped when it is interrupted or in error, which is what an inbox asks for together with a tenant, a user or
-- a graph. So thread_metadata_entries also has how many threads with an entry are stopped: as entries with the status
-- in front, interrupted "team":"blue". Threads that are idle or busy have none of these: a run that ends well writes none.
-- Which threads they are is in thread_metadata by the entry alone.

create trigger threads_stopped_inserted after insert on threads
when not new.temporary and new.status in ('interrupted', 'error') begin
  insert into thread_metadata_entries (entry, total)
    select new.status || ' ' || value, 1 from json_each(metadata_entries(new.metadata, '{}')) where true
    on conflict (entry) do update set total = total + 1;
end;

create trigger threads_stopped_deleted after delete on threads
when not old.temporary and old.status in ('interrupted', 'error') begin
  update thread_metadata_entries set total = total - 1
    where entry in (select old.status || ' ' || value from json_each(metadata_entries(old.metadata, '{}')));
  delete from thread_metadata_entries
    where total = 0 and entry in (select old.status || ' ' || value from json_each(metadata_entries(old.metadata, '{}')));
end;

-- What it was is taken back whole, and what it is now is counted whole.
create trigger threads_stopped_before after update of status, metadata on threads
when not old.temporary and old.status in ('interrupted', 'error')
  and (old.status <> new.status or old.metadata <> new.metadata) begin
  update thread_metadata_entries set total = total - 1
    where entry in (select old.status || ' ' || value from json_each(metadata_entries(old.metadata, '{}')));
  delete from thread_metadata_entries
    where total = 0 and entry in (select old.status || ' ' || value from json_each(metadata_entries(old.metadata, '{}')));
end;
create trigger threads_stopped_after after update of status, metadata on threads
when not old.temporary and new.status in ('interrupted', 'error')
  and (old.status <> new.status or old.metadata <> new.metadata) begin
  insert into thread_metadata_entries (entry, total)
    select new.status || ' ' || value, 1 from json_each(metadata_entries(new.metadata, '{}')) where true
    on conflict (entry) do update set total = total + 1;
end;

-- Those that are there.
insert into thread_metadata_entries (entry, total)
  select status || ' ' || value, count(*) from threads cross join json_each(metadata_entries(metadata, '{}'))
  where not temporary and status in ('interrupted', 'error')
  group by 1;
