import { createRoute, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Run } from "../../model/run.ts";
import {
  statelessRunCreate,
  threadRunCreate,
  type RunCreate,
  type StatelessRunCreate,
  type ThreadRunCreate,
} from "../../model/run-requests.ts";
import {
  createStatelessRun,
  createThreadRun,
} from "../../services/accept-run.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import type { App, AppEnv, MountRoutes } from "../deps.ts";
import { namespaceQuery, namespacesOf, pathId } from "../query.ts";
import { jsonBody, jsonResponse } from "../responses.ts";
import {
  runPath,
  setLocation,
  statelessRunPath,
  streamResponse,
  waitResponse,
} from "../run-responses.ts";
import { eventStream, runResult, runShape } from "../run-shapes.ts";

const threadId = pathId("thread_id");

const createOnThread = createRoute({
  method: "post",
  path: "/threads/{thread_id}/runs",
  tags: ["Runs"],
  summary: "Start a run in the background",
  request: { params: threadId, body: jsonBody(threadRunCreate) },
  responses: { 200: jsonResponse(runShape, "The run, as it was accepted.") },
});

const streamOnThread = createRoute({
  method: "post",
  path: "/threads/{thread_id}/runs/stream",
  tags: ["Runs"],
  summary: "Start a run and stream its events",
  request: {
    params: threadId,
    query: namespaceQuery,
    body: jsonBody(threadRunCreate),
  },
  responses: { 200: eventStream },
});

const waitOnThread = createRoute({
  method: "post",
  path: "/threads/{thread_id}/runs/wait",
  tags: ["Runs"],
  summary: "Start a run and wait for its result",
  request: { params: threadId, body: jsonBody(threadRunCreate) },
  responses: {
    200: jsonResponse(runResult, "The last values, or `{__error__}`."),
  },
});

const createStateless = createRoute({
  method: "post",
  path: "/runs",
  tags: ["Stateless runs"],
  summary: "Start a run on a thread of its own, in the background",
  request: { body: jsonBody(statelessRunCreate) },
  responses: { 200: jsonResponse(runShape, "The run, as it was accepted.") },
});

const streamStateless = createRoute({
  method: "post",
  path: "/runs/stream",
  tags: ["Stateless runs"],
  summary: "Start a run on a thread of its own and stream its events",
  request: { query: namespaceQuery, body: jsonBody(statelessRunCreate) },
  responses: { 200: eventStream },
});

const waitStateless = createRoute({
  method: "post",
  path: "/runs/wait",
  tags: ["Stateless runs"],
  summary: "Start a run on a thread of its own and wait for its result",
  request: { body: jsonBody(statelessRunCreate) },
  responses: {
    200: jsonResponse(runResult, "The last values, or `{__error__}`."),
  },
});

/** Every way to start a run: on a thread or on one of its own; in the background, streamed, or waited for. */
export function runCreateRoutes(deps: RunDeps): MountRoutes {
  return (app) => {
    mountOnThread(app, deps);
    mountStateless(app, deps);
  };
}

function mountOnThread(app: App, deps: RunDeps): void {
  const start = async (
    c: WithBody<ThreadRunCreate, { param: { thread_id: string } }>,
    kind: { isStreamed?: boolean; isBackground?: boolean } = {},
  ): Promise<Run> => {
    const run = await createThreadRun(deps, c.get("caller"), {
      ...c.req.valid("param"),
      request: c.req.valid("json"),
      ...kind,
    });
    c.header("Content-Location", runPath(run));
    return run;
  };
  app.openapi(createOnThread, async (c) =>
    c.json(await start(c, { isBackground: true }), 200),
  );
  app.openapi(streamOnThread, async (c) =>
    streamed(c, deps, await start(c, { isStreamed: true })),
  );
  app.openapi(waitOnThread, async (c) => awaited(c, deps, await start(c)));
}

function mountStateless(app: App, deps: RunDeps): void {
  const start = async (
    c: WithBody<StatelessRunCreate>,
    { isStreamed = false } = {},
  ): Promise<Run> => {
    const run = await createStatelessRun(deps, c.get("caller"), {
      request: c.req.valid("json"),
      isStreamed,
    });
    c.header("Content-Location", statelessRunPath(run));
    return run;
  };
  app.openapi(createStateless, async (c) => c.json(await start(c), 200));
  app.openapi(streamStateless, async (c) =>
    streamed(c, deps, await start(c, { isStreamed: true })),
  );
  app.openapi(waitStateless, async (c) => awaited(c, deps, await start(c)));
}

/** A request whose body is valid. */
type WithBody<Body, Rest extends object = object> = Context<
  AppEnv,
  string,
  { out: { json: Body } & Rest }
>;

function streamed(
  c: WithBody<RunCreate, { query: z.output<typeof namespaceQuery> }>,
  deps: RunDeps,
  run: Run,
): Response {
  setLocation(c, run, "stream");
  return streamResponse(c, deps, run, {
    after: -1, // from the first event on, whatever has happened before the reader came
    isNew: true,
    modes: null,
    namespaces: namespacesOf(c.req.valid("query")),
    onDisconnect: c.req.valid("json").on_disconnect,
  });
}

function awaited(c: WithBody<RunCreate>, deps: RunDeps, run: Run) {
  setLocation(c, run, "join");
  const added = { ...run, isNew: true };
  return waitResponse(c, deps, added, c.req.valid("json").on_disconnect);
}
