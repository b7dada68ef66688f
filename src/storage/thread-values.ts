import type { Json } from "../lib/json.ts";
import type { Queryable } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { json, raw, sql, type JsonParameter, type Sql } from "./sql.ts";
import { valuePages, type ValuePage } from "./value-pages.ts";

/*
 * The values of a thread are in its row when they are short. Long ones are in
 * `thread_value_pages`, the row says so, and its own column is null: a turn of
 * a long conversation then writes the pages that it changed, where it wrote
 * megabytes. Rows and pages change in one transaction and are read in one
 * statement, so nobody sees a half of each.
 */

/** Whether there are values, for a `where` on `threads`. */
export const HAS_VALUES = raw('(values_paged or "values" is not null)');

/** The values, wherever they are: an expression for a statement on `threads`. */
export const valuesOf = ({ jsonOf }: Dialect): Sql =>
  sql`case when values_paged then ${jsonOf(PAGED)} else "values" end`;

const PAGED = raw(`(
  select string_agg(page.text, '' order by page.channel_no, page.page_no)
  from thread_value_pages page where page.thread_id = threads.thread_id)`);

/** What the row is to hold after `storePages`. */
export interface StoredValues {
  /** Null when there are no values, or when they are in pages. */
  inline: JsonParameter | null;
  isPaged: boolean;
  /** Whether a page is not what it was. */
  hasMoved: boolean;
}

/** Makes the thread's pages those of `values`, writing only what differs. The caller has the lock of the thread, and sets its row. */
export async function storePages(
  tx: Queryable,
  threadId: string,
  { values, wasPaged }: { values: Json; wasPaged: boolean },
): Promise<StoredValues> {
  const pages = valuePages(values);
  const surplus: Awaited<ReturnType<typeof listHashes>> = wasPaged
    ? await listHashes(tx, threadId)
    : new Map();
  let hasMoved = false;
  for (const page of pages) {
    const key = keyOf(page);
    const stored = surplus.get(key);
    surplus.delete(key);
    if (stored?.hash === page.hash) continue;
    await putPage(tx, threadId, page);
    hasMoved = true;
  }
  for (const place of surplus.values()) await deletePage(tx, threadId, place);
  const isPaged = pages.length > 0;
  return {
    inline: isPaged || values === null ? null : json(values),
    isPaged,
    hasMoved: hasMoved || surplus.size > 0,
  };
}

/** For a thread that has no pages: null when the values are to be in some. */
export function inlineValues(values: Json): StoredValues | null {
  if (valuePages(values).length > 0) return null;
  const inline = values === null ? null : json(values);
  return { inline, isPaged: false, hasMoved: false };
}

type Place = Pick<ValuePage, "channel_no" | "page_no">;

const keyOf = ({ channel_no, page_no }: Place) => `${channel_no}/${page_no}`;

async function listHashes(
  tx: Queryable,
  threadId: string,
): Promise<Map<string, Omit<ValuePage, "text">>> {
  const rows = await tx.query<Omit<ValuePage, "text">>(sql`
    select channel_no, page_no, hash from thread_value_pages
    where thread_id = ${threadId}`);
  return new Map(rows.map((row) => [keyOf(row), row]));
}

async function putPage(
  tx: Queryable,
  threadId: string,
  { channel_no, page_no, hash, text }: ValuePage,
): Promise<void> {
  await tx.query(sql`
    insert into thread_value_pages (thread_id, channel_no, page_no, hash, text)
    values (${threadId}, ${channel_no}, ${page_no}, ${hash}, ${text})
    on conflict (thread_id, channel_no, page_no)
      do update set hash = excluded.hash, text = excluded.text`);
}

async function deletePage(
  tx: Queryable,
  threadId: string,
  { channel_no, page_no }: Place,
): Promise<void> {
  await tx.query(sql`
    delete from thread_value_pages
    where thread_id = ${threadId} and channel_no = ${channel_no} and page_no = ${page_no}`);
}

/** The copy has none yet. */
export async function copyPages(
  tx: Queryable,
  threadId: string,
  copyId: string,
): Promise<void> {
  await tx.query(sql`
    insert into thread_value_pages (thread_id, channel_no, page_no, hash, text)
    select ${copyId}, channel_no, page_no, hash, text
    from thread_value_pages where thread_id = ${threadId}`);
}
