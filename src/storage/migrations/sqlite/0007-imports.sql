-- How far `spool import` has come with a file. It moves in the transaction that stores the rows, so an interrupted import goes on.
create table imports (
  export_id text primary key,                  -- which export the file is of
  lines integer not null,                      -- that are done
  unit text,                                   -- what the last of them belongs to, when it is being imported and may not be whole
  created_at integer not null,
  updated_at integer not null,
  finished_at integer
) strict;
