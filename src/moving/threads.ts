import type { Json, JsonObject } from "../lib/json.ts";
import type { Interrupts } from "../model/thread.ts";
import type { Row } from "../storage/table-rows.ts";
import { valuePages } from "../storage/value-pages.ts";

/** The state that a thread shows, as rows: of the thread itself, and of its pages when there is much of it. */
export function stateRows(
  threadId: string,
  { values, interrupts }: { values: Json; interrupts: Interrupts },
): { head: Row; pages: { table: string; row: Row }[] } {
  const pages = valuePages(values);
  const asked = Object.entries(interrupts).filter(
    ([, list]) => list.length > 0,
  );
  return {
    head: {
      interrupts: Object.fromEntries(asked),
      values_paged: pages.length > 0,
      values: pages.length > 0 ? null : values,
    },
    pages: pages.map((page) => ({
      table: "thread_value_pages",
      row: { thread_id: threadId, ...page },
    })),
  };
}

/** A thread that is not there yet, without its state. */
export const threadRow = (thread: {
  thread_id: string;
  created_at: string;
  updated_at: string;
  state_updated_at?: string;
  metadata: JsonObject;
}): Row => ({
  thread_id: thread.thread_id,
  created_at: isoTime(thread.created_at),
  updated_at: isoTime(thread.updated_at),
  state_updated_at: isoTime(thread.state_updated_at ?? thread.updated_at),
  metadata: thread.metadata,
  status: "idle",
});

/** To the millisecond, as the tables have it; other servers tell microseconds. */
export const isoTime = (time: string): string => new Date(time).toISOString();
