import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Logger } from "../../lib/logger.ts";
import { lenientBoolean } from "../../model/fields.ts";
import { STREAM_MODES, type Run } from "../../model/run.ts";
import { modesInQuery } from "../../model/stream-modes.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { requireRun } from "../../services/runs.ts";
import type { AppEnv, MountRoutes } from "../deps.ts";
import { cursorHeaders, cursorOf } from "../event-stream.ts";
import { namespaceQuery, namespacesOf, pathId } from "../query.ts";
import { jsonResponse } from "../responses.ts";
import {
  runPath,
  setLocation,
  statelessRunPath,
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
  const waitFor = async (c: To<typeof onLeaving>) => {
    const run = await requireRun(deps, c.get("caller"), c.req.valid("param"));
    setLocation(c, run, "join");
    return waitResponse(c, deps, run, onDisconnect(c.req.valid("query")));
  };
  const follow = async (c: ToStream, pathOf: (run: Run) => string) => {
    const run = await requireRun(deps, c.get("caller"), c.req.valid("param"));
    c.header("Content-Location", pathOf(run));
    setLocation(c, run, "stream");
    return streamResponse(
      c,
      deps,
      run,
      joinParams(deps.log, c.req.valid("query"), c.req.valid("header")),
    );
  };
  return (app) => {
    app.openapi(join, waitFor);
    app.openapi(joinById, waitFor);
    app.openapi(stream, (c) => follow(c, runPath));
    app.openapi(streamById, (c) => follow(c, statelessRunPath));
  };
}

/** A request to a run, by its id and perhaps that of its thread. */
type To<Query extends z.ZodType, Rest extends object = object> = Context<
  AppEnv,
  string,
  {
    out: {
      param: { thread_id?: string; run_id: string };
      query: z.output<Query>;
    } & Rest;
  }
>;

type ToStream = To<
  typeof streamQuery,
  { header: z.output<typeof cursorHeaders> }
>;

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
