import { z } from "@hono/zod-openapi";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { sseStream } from "../stream/sse.ts";

/** A connection that takes nothing for so long is cut off: its client, if there still is one, comes back with its last id. */
const STALLED_MS = 60_000;

/** A response of server-sent events, which nothing on its way may hold back. `onClose` as for `sseStream`. */
export function eventStreamResponse<T>(
  c: Context,
  source: AsyncGenerator<T>,
  frameOf: (event: T) => string,
  onClose: (isComplete: boolean) => void,
  { stalledMs = STALLED_MS } = {},
): Response {
  cutOffWhenStalled(c, stalledMs);
  c.header("Content-Type", "text/event-stream");
  c.header("Cache-Control", "no-store");
  c.header("X-Accel-Buffering", "no");
  return c.body(sseStream(source, frameOf, onClose));
}

/**
 * Whether a socket still takes something, however slowly, Node knows; it looks
 * once per interval. While there is room heartbeats are written, so an idle
 * stream is none that stalls.
 */
function cutOffWhenStalled(c: Context, ms: number): void {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  const interval = ms / 6;
  let seen = 0;
  let since = 0;
  outgoing?.setTimeout(interval, () => {
    const now = performance.now();
    // It has moved since the last look, or the next one would have come sooner.
    if (now - seen > 1.5 * interval) since = now - interval;
    seen = now;
    if (now - since >= ms) outgoing.destroy();
    else outgoing.socket?.setTimeout(interval); // looks again
  });
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
