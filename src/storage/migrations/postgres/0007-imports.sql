-- How far `spool import` has come with a file. It moves in the transaction that stores the rows, so an interrupted import goes on.
create table imports (
  export_id text collate "C" primary key,                  -- which export the file is of
  lines bigint not null,                      -- that are done
  unit text collate "C",                                   -- what the last of them belongs to, when it is being imported and may not be whole
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  finished_at timestamptz(3)
);
