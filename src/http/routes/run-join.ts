import { createRoute, z } from "@hono/zod-openapi";
import type { Logger } from "../../lib/logger.ts";
import { lenientBoolean } from "../../model/fields.ts";
import { STREAM_MODES } from "../../model/run.ts";
import { modesInQuery } from "../../model/stream-modes.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { requireRun } from "../../services/runs.ts";
import type { MountRoutes } from "../deps.ts";
import { cursorHeaders, cursorOf } from "../event-stream.ts";
import { namespaceQuery, namespacesOf, pathId } from "../query.ts";
import { jsonResponse } from "../responses.ts";
import {
  runPath,
  setLocation,
  streamResponse,
  waitResponse,
} from "../run-responses.ts";
import { eventStream, runResult } from "../run-shapes.ts";

const threadAndRun = pathId("thread_id", "run_id");

const onLeaving = z.object({ cancel_on_disconnect: lenientBoolean.optional() });

const join = createRoute({
  method: "get",
  path: "/threads/{thread_id}/runs/{run_id}/join",
  tags: ["Runs"],
  summary: "Wait for the result of a run",
  request: { params: threadAndRun, query: onLeaving },
  responses: {
    200: jsonResponse(runResult, "The last values, or `{__error__}`."),
  },
});

const joinById = createRoute({
  method: "get",
  path: "/runs/{run_id}/join",
  tags: ["Stateless runs"],
  summary: "Wait for the result of a run by its id alone",
  request: { params: pathId("run_id"), query: onLeaving },
  responses: {
    200: jsonResponse(runResult, "The last values, or `{__error__}`."),
  },
});

const streamQuery = onLeaving.extend({
  ...namespaceQuery.shape,
  stream_mode: modesInQuery(STREAM_MODES).optional(),
});

const stream = createRoute({
  method: "get",
  path: "/threads/{thread_id}/runs/{run_id}/stream",
  tags: ["Runs"],
  summary: "Join the event stream of a run",
  request: { params: threadAndRun, query: streamQuery, headers: cursorHeaders },
  responses: { 200: eventStream },
});

const streamById = createRoute({
  method: "get",
  path: "/runs/{run_id}/stream",
  tags: ["Stateless runs"],
  summary: "Join the event stream of a run by its id alone",
  request: {
    params: pathId("run_id"),
    query: streamQuery,
    headers: cursorHeaders,
  },
  responses: { 200: eventStream },
});

/** Coming to a run that somebody else has started: wait for its result, or follow its stream. */
export function runJoinRoutes(deps: RunDeps): MountRoutes {
  return (app) => {
    app.openapi(join, async (c) => {
      const run = await requireRun(deps, c.get("caller"), c.req.valid("param"));
      setLocation(c, run, "join");
      return waitResponse(c, deps, run, onDisconnect(c.req.valid("query")));
    });
    app.openapi(joinById, async (c) => {
      const { run_id } = c.req.valid("param");
      const run = await requireRun(deps, c.get("caller"), {
        thread_id: null,
        run_id,
      });
      setLocation(c, run, "join");
      return waitResponse(c, deps, run, onDisconnect(c.req.valid("query")));
    });
    app.openapi(stream, async (c) => {
      const run = await requireRun(deps, c.get("caller"), c.req.valid("param"));
      c.header("Content-Location", runPath(run));
      setLocation(c, run, "stream");
      return streamResponse(
        c,
        deps,
        run,
        joinParams(deps.log, c.req.valid("query"), c.req.valid("header")),
      );
    });
    app.openapi(streamById, async (c) => {
      const { run_id } = c.req.valid("param");
      const run = await requireRun(deps, c.get("caller"), {
        thread_id: null,
        run_id,
      });
      c.header("Content-Location", `/runs/${run_id}`);
      setLocation(c, run, "stream");
      return streamResponse(
        c,
        deps,
        run,
        joinParams(deps.log, c.req.valid("query"), c.req.valid("header")),
      );
    });
  };
}

type StreamQuery = z.output<typeof streamQuery>;

const onDisconnect = (query: z.output<typeof onLeaving>) =>
  query.cancel_on_disconnect === true
    ? ("cancel" as const)
    : ("continue" as const);

function joinParams(
  log: Logger,
  query: StreamQuery,
  headers: z.output<typeof cursorHeaders>,
) {
  const { modes = [], unknown = [] } = query.stream_mode ?? {};
  if (unknown.length > 0)
    log.warn({ unknown }, "unknown stream modes are ignored");
  const after = cursorOf(headers);
  return {
    after: after === null ? null : Math.floor(after),
    modes: modes.length === 0 ? null : modes,
    namespaces: namespacesOf(query),
    onDisconnect: onDisconnect(query),
  };
}
