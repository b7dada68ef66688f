import { createRoute, z } from "@hono/zod-openapi";
import { modesInQuery } from "../../model/stream-modes.ts";
import { THREAD_STREAM_MODES } from "../../model/thread-stream.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { streamThread } from "../../services/thread-stream.ts";
import { requireThread } from "../../services/threads.ts";
import { runFrame } from "../../stream/sse.ts";
import type { MountRoutes } from "../deps.ts";
import {
  cursorHeaders,
  cursorOf,
  eventStreamResponse,
} from "../event-stream.ts";
import { pathId } from "../query.ts";
import { errorResponses } from "../responses.ts";

const modes = modesInQuery(THREAD_STREAM_MODES).optional();

const stream = createRoute({
  method: "get",
  path: "/threads/{thread_id}/stream",
  tags: ["Threads"],
  summary: "Follow the runs of a thread, one after the other",
  request: {
    params: pathId("thread_id"),
    // The API document has one of these names, the SDKs have the other.
    query: z.object({ stream_modes: modes, stream_mode: modes }),
    headers: cursorHeaders,
  },
  responses: {
    200: {
      description:
        "Server-sent events without end: the frames of each run, or its `metadata` and `end` alone (`lifecycle`), or the state that it has left (`state_update`).",
      content: { "text/event-stream": { schema: z.string() } },
    },
    ...errorResponses(404, 422),
  },
});

export function threadStreamRoutes(deps: RunDeps): MountRoutes {
  return (app) => {
    app.openapi(stream, async (c) => {
      const { thread_id } = c.req.valid("param");
      await requireThread(deps, c.get("caller"), thread_id);
      const { stream_modes, stream_mode } = c.req.valid("query");
      const asked = [stream_modes, stream_mode].filter(
        (one) => one !== undefined,
      );
      const unknown = asked.flatMap((one) => one.unknown);
      if (unknown.length > 0)
        deps.log.warn({ unknown }, "unknown stream modes are ignored");
      const modes = asked.flatMap((one) => one.modes);
      const gone = new AbortController();
      const events = streamThread(deps, c.get("caller"), {
        thread_id,
        modes: modes.length === 0 ? ["run_modes"] : modes,
        after: cursorOf(c.req.valid("header")),
        signal: gone.signal,
      });
      c.header("Location", `${c.req.path}${new URL(c.req.url).search}`);
      return eventStreamResponse(c, events, runFrame, () => gone.abort());
    });
  };
}
