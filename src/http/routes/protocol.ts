import { upgradeWebSocket } from "@hono/node-server";
import { createRoute, z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { protocolFilter } from "../../model/protocol-filter.ts";
import {
  requireVisible,
  streamProtocol,
} from "../../services/protocol-stream.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { StateCache } from "../../services/state-cache.ts";
import { protocolFrame } from "../../stream/sse.ts";
import type { MountRoutes } from "../deps.ts";
import { eventStreamResponse } from "../event-stream.ts";
import { answerCommand, commandEnvelope } from "../protocol-command.ts";
import { openSocket } from "../protocol-socket.ts";
import { pathId } from "../query.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";

const tags = ["Streaming protocol"];

const threadId = pathId("thread_id");

const commands = createRoute({
  method: "post",
  path: "/threads/{thread_id}/commands",
  tags,
  summary: "A command of the streaming protocol",
  request: { params: threadId, body: jsonBody(commandEnvelope) },
  responses: {
    200: jsonResponse(
      z.object({ type: z.enum(["success", "error"]), id: z.int().nullable() }),
      "`result` of a success; `error`, a code, and `message` of a failure.",
    ),
    ...errorResponses(404, 422),
  },
});

const events = createRoute({
  method: "post",
  path: "/threads/{thread_id}/stream/events",
  tags,
  summary: "Subscribe to the events of a thread, which need not exist yet",
  request: { params: threadId, body: jsonBody(protocolFilter) },
  responses: {
    200: {
      description:
        "Server-sent events without end: those that match, kept ones first.",
      content: { "text/event-stream": { schema: z.string() } },
    },
    ...errorResponses(404, 422),
  },
});

export function protocolRoutes(runDeps: RunDeps): MountRoutes {
  const deps = { ...runDeps, states: new StateCache() };
  return (app) => {
    app.openapi(commands, async (c) => {
      const { thread_id } = c.req.valid("param");
      const caller = c.get("caller");
      await requireVisible(deps, caller, thread_id);
      const command = c.req.valid("json");
      return c.json(await answerCommand(deps, caller, thread_id, command), 200);
    });
    app.openapi(events, async (c) => {
      const { thread_id } = c.req.valid("param");
      const caller = c.get("caller");
      await requireVisible(deps, caller, thread_id);
      const gone = new AbortController();
      const stream = streamProtocol(deps, caller, {
        thread_id,
        filter: c.req.valid("json"),
        signal: gone.signal,
      });
      return eventStreamResponse(c, stream, protocolFrame, () => gone.abort());
    });
    app.get(
      "/threads/:thread_id/stream/events",
      upgradeWebSocket((c) =>
        openSocket(deps, c.get("caller"), c.req.param("thread_id") ?? ""),
      ),
      () => {
        throw new HTTPException(426, {
          message:
            "this address is for WebSockets; over HTTP, POST a filter to it",
        });
      },
    );
  };
}
