import { upgradeWebSocket } from "@hono/node-server";
import { createRoute, z } from "@hono/zod-openapi";
import type { HonoRequest } from "hono";
import { HTTPException } from "hono/http-exception";
import type { CorsSettings } from "../../model/cors.ts";
import { protocolFilter } from "../../model/protocol-filter.ts";
import {
  requireVisible,
  streamProtocol,
} from "../../services/protocol-stream.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { StateCache } from "../../services/state-cache.ts";
import { protocolFrames } from "../../stream/sse.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { eventStreamResponse } from "../event-stream.ts";
import { answerCommand, commandEnvelope } from "../protocol-command.ts";
import { originRule } from "../middleware/cors.ts";
import { openSocket, refusedSocket } from "../protocol-socket.ts";
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

export function protocolRoutes(
  given: RunDeps & Pick<AppDeps, "http">,
): MountRoutes {
  const deps = { ...given, states: new StateCache() };
  const mayConnect = pageRule(given.http.cors);
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
      return eventStreamResponse(c, stream, protocolFrames, () => gone.abort());
    });
    app.get(
      "/threads/:thread_id/stream/events",
      upgradeWebSocket((c) =>
        mayConnect(c.req)
          ? openSocket(deps, c.get("caller"), c.req.param("thread_id") ?? "")
          : refusedSocket(403, "this origin is not allowed (http.cors)"),
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

/** Browsers ask nobody before they open a WebSocket: what CORS is for requests has to be looked at here. */
function pageRule(cors: CorsSettings): (request: HonoRequest) => boolean {
  const allowedOrigin = originRule(cors);
  return (request) => {
    const origin = request.header("origin");
    if (origin === undefined || allowedOrigin(origin) !== null) return true;
    return (
      URL.canParse(origin) && new URL(origin).host === request.header("host")
    );
  };
}
