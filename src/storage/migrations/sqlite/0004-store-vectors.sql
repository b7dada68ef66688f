-- What the vectors of an item were made by (indexName of model/store-index.ts);
-- null: by nothing, so that an index that is configured later finds it.
alter table store_items add column indexed_as text;
-- The `index` of the item's last put, JSON: false, or a list of paths; null: what is configured.
alter table store_items add column index_paths text;

-- One vector for each text of an item that is embedded: 32-bit floats, of unit length.
-- The id grows with each vector: a copy of them knows by it what is new.
create table store_vectors (
  id integer primary key autoincrement,
  namespace text not null,
  key text not null,
  n integer not null,
  index_name text not null,
  vector blob not null,
  unique (namespace, key, n),
  foreign key (namespace, key) references store_items (namespace, key) on delete cascade
) strict;
