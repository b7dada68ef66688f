import { createRoute } from "@hono/zod-openapi";
import {
  statelessRunCreate,
  threadRunCreate,
} from "../../model/run-requests.ts";
import {
  createStatelessRun,
  createThreadRun,
} from "../../services/accept-run.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import type { App, MountRoutes } from "../deps.ts";
import { namespaceQuery, namespacesOf, pathId } from "../query.ts";
import { jsonBody, jsonResponse } from "../responses.ts";
import {
  setRunHeaders,
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

/** From the first event on, whatever has happened before the reader came. */
const FROM_THE_START = { after: -1, modes: null };

/** Every way to start a run: on a thread or on one of its own; in the background, streamed, or waited for. */
export function runCreateRoutes(deps: RunDeps): MountRoutes {
  return (app) => {
    mountOnThread(app, deps);
    mountStateless(app, deps);
  };
}

function mountOnThread(app: App, deps: RunDeps): void {
  app.openapi(createOnThread, async (c) => {
    const request = c.req.valid("json");
    const run = await createThreadRun(deps, c.get("caller"), {
      ...c.req.valid("param"),
      request,
    });
    setRunHeaders(c, run, { reconnect: null });
    return c.json(run, 200);
  });
  app.openapi(streamOnThread, async (c) => {
    const request = c.req.valid("json");
    const run = await createThreadRun(deps, c.get("caller"), {
      ...c.req.valid("param"),
      request,
      isStreamed: true,
    });
    setRunHeaders(c, run, { reconnect: "stream" });
    return streamResponse(c, deps, run, {
      ...FROM_THE_START,
      namespaces: namespacesOf(c.req.valid("query")),
      onDisconnect: request.on_disconnect,
    });
  });
  app.openapi(waitOnThread, async (c) => {
    const request = c.req.valid("json");
    const run = await createThreadRun(deps, c.get("caller"), {
      ...c.req.valid("param"),
      request,
    });
    setRunHeaders(c, run, { reconnect: "join" });
    return waitResponse(c, deps, run, request.on_disconnect);
  });
}

function mountStateless(app: App, deps: RunDeps): void {
  app.openapi(createStateless, async (c) => {
    const run = await createStatelessRun(deps, c.get("caller"), {
      request: c.req.valid("json"),
    });
    setRunHeaders(c, run, { reconnect: null, stateless: true });
    return c.json(run, 200);
  });
  app.openapi(streamStateless, async (c) => {
    const request = c.req.valid("json");
    const run = await createStatelessRun(deps, c.get("caller"), {
      request,
      isStreamed: true,
    });
    setRunHeaders(c, run, { reconnect: "stream", stateless: true });
    return streamResponse(c, deps, run, {
      ...FROM_THE_START,
      namespaces: namespacesOf(c.req.valid("query")),
      onDisconnect: request.on_disconnect,
    });
  });
  app.openapi(waitStateless, async (c) => {
    const request = c.req.valid("json");
    const run = await createStatelessRun(deps, c.get("caller"), { request });
    setRunHeaders(c, run, { reconnect: "join", stateless: true });
    return waitResponse(c, deps, run, request.on_disconnect);
  });
}
