import type { Dialect } from "../../src/storage/dialect.ts";
import { raw, sql, type Sql } from "../../src/storage/sql.ts";

/*
 * What only tests say to a database, in the words of each engine.
 */

/** Grows with each row that is inserted, as long as none was changed. */
export const rowNumber = ({ name }: Dialect): Sql =>
  name === "sqlite"
    ? raw("rowid")
    : raw(
        "cast((cast(cast(ctid as text) as point))[0] * 1000 + (cast(cast(ctid as text) as point))[1] as integer)",
      );

/** Milliseconds since 1970 as a timestamp. */
export const timestampOf = ({ name }: Dialect, milliseconds: Sql): Sql =>
  name === "sqlite"
    ? milliseconds
    : sql`to_timestamp((${milliseconds}) / 1000.0)`;

/** A timestamp as milliseconds since 1970. */
export const millisecondsOf = ({ name }: Dialect, timestamp: Sql): Sql =>
  name === "sqlite"
    ? timestamp
    : sql`round(extract(epoch from ${timestamp}) * 1000)`;

/** The tables of the schema. */
export const tableNames = ({ name }: Dialect): Sql =>
  name === "sqlite"
    ? raw("select name from sqlite_master where type = 'table'")
    : raw(
        "select tablename as name from pg_tables where schemaname = current_schema()",
      );

interface Refusal {
  create: string;
  drop: string;
}

/** Scripts by which the database refuses new rows of a table, and takes them again. */
export const refusalOf = (
  { name }: Dialect,
  table: string,
  condition: string,
): Refusal =>
  name === "sqlite"
    ? {
        create: `create trigger refused before insert on ${table} when ${condition}
          begin select raise(abort, 'no'); end`,
        drop: "drop trigger refused",
      }
    : {
        create: `create function refused() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
          create trigger refused before insert on ${table} for each row
          when (${condition}) execute function refused()`,
        drop: `drop trigger refused on ${table}; drop function refused()`,
      };

/** Of runs that have this in their metadata. */
export const refusalOfRuns = (dialect: Dialect, part: string): Refusal =>
  refusalOf(
    dialect,
    "runs",
    dialect.name === "sqlite"
      ? `new.metadata like '%${part}%'`
      : `replace(cast(new.metadata as text), ' ', '') like '%${part}%'`,
  );

/** The columns of a table in their order; `pk` is the place of each in the primary key, or 0. */
export const tableColumns = ({ name }: Dialect, table: string): Sql =>
  name === "sqlite"
    ? raw(`select name, pk from pragma_table_info('${table}')`)
    : raw(`
        select cast(attname as text) as name,
          coalesce(array_position(string_to_array(cast(indkey as text), ' '), cast(attnum as text)), 0) as pk
        from pg_attribute
        left join pg_index on indrelid = attrelid and indisprimary
        where attrelid = cast('${table}' as regclass) and attnum > 0 and not attisdropped
        order by attnum`);
