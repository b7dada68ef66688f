import type { Context } from "hono";
import { z } from "@hono/zod-openapi";

/** A response of server-sent events, which nothing on its way may hold back. */
export function eventStreamResponse(
  c: Context,
  body: ReadableStream<Uint8Array>,
): Response {
  c.header("Content-Type", "text/event-stream");
  c.header("Cache-Control", "no-store");
  c.header("X-Accel-Buffering", "no");
  return c.body(body);
}

/** Where a reader goes on, of any stream: see `cursorOf`. */
export const cursorHeaders = z.object({
  "last-event-id": z.string().optional(),
});

/**
 * Frames with a greater number are sent. Null without a header: only what
 * happens from now on. `-1`, `-`, and an id that is not ours: all that is kept.
 * What stands between two events of the log has a half (services/thread-stream.ts).
 */
export function cursorOf(
  headers: z.output<typeof cursorHeaders>,
): number | null {
  const id = headers["last-event-id"];
  if (id === undefined) return null;
  return /^\d{1,15}(\.5)?$/.test(id) ? Number(id) : -1;
}
