import type { Context } from "hono";
import type { Page } from "../model/page.ts";

/** `X-Pagination-Total`, and `X-Pagination-Next` when there are more rows. */
export function setPagination(c: Context, page: Page<unknown>): void {
  c.header("X-Pagination-Total", String(page.total));
  if (page.next !== null) c.header("X-Pagination-Next", String(page.next));
}
