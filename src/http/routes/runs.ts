import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { lenientBoolean, MAX_PAGE, queryList } from "../../model/fields.ts";
import { CANCEL_ACTIONS, RUN_STATUSES } from "../../model/run.ts";
import { cancelRun } from "../../services/cancel-run.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { removeRun } from "../../services/remove-run.ts";
import { listThreadRuns, requireRun } from "../../services/runs.ts";
import type { AppEnv, MountRoutes } from "../deps.ts";
import { setPagination } from "../pagination.ts";
import { integerParameter, pathId } from "../query.ts";
import { jsonResponse } from "../responses.ts";
import { setLocation } from "../run-responses.ts";
import { RUN_FIELDS, runShape } from "../run-shapes.ts";

const threadId = pathId("thread_id");
const threadAndRun = pathId("thread_id", "run_id");
const runId = pathId("run_id");

const list = createRoute({
  method: "get",
  path: "/threads/{thread_id}/runs",
  tags: ["Runs"],
  summary: "List the runs of a thread, newest first",
  request: {
    params: threadId,
    query: z.object({
      limit: integerParameter({ min: 1, max: MAX_PAGE, default: 10 }),
      offset: integerParameter({ min: 0, default: 0 }),
      status: z.enum(RUN_STATUSES).optional(),
      select: queryList(z.enum(RUN_FIELDS)).optional(),
    }),
  },
  responses: { 200: jsonResponse(z.array(runShape.partial()), "One page.") },
});

const get = createRoute({
  method: "get",
  path: "/threads/{thread_id}/runs/{run_id}",
  tags: ["Runs"],
  summary: "Get a run",
  request: { params: threadAndRun },
  responses: { 200: jsonResponse(runShape, "The run.") },
});

const remove = createRoute({
  method: "delete",
  path: "/threads/{thread_id}/runs/{run_id}",
  tags: ["Runs"],
  summary: "Delete a run that has ended, with its checkpoints",
  request: { params: threadAndRun },
  responses: { 204: { description: "Deleted." } },
});

const getById = createRoute({
  method: "get",
  path: "/runs/{run_id}",
  tags: ["Stateless runs"],
  summary: "Get a run by its id alone",
  request: { params: runId },
  responses: { 200: jsonResponse(runShape, "The run.") },
});

const cancelQuery = z
  .object({
    wait: lenientBoolean.optional(),
    action: z.enum(CANCEL_ACTIONS).default("interrupt"),
    reason: z.enum(["taken"]).optional(),
  })
  .refine(
    ({ action, reason }) => reason === undefined || action === "interrupt",
    {
      path: ["reason"],
      message:
        "goes with the action interrupt only: a run that is rolled back keeps none",
    },
  );

const stopped = {
  202: { description: "The run was told to stop." },
  204: { description: "The run has stopped (`wait`)." },
};

const cancel = createRoute({
  method: "post",
  path: "/threads/{thread_id}/runs/{run_id}/cancel",
  tags: ["Runs"],
  summary: "Stop a run; with the action `rollback` also undo it",
  request: { params: threadAndRun, query: cancelQuery },
  responses: stopped,
});

const cancelById = createRoute({
  method: "post",
  path: "/runs/{run_id}/cancel",
  tags: ["Stateless runs"],
  summary: "Stop a run by its id alone",
  request: { params: runId, query: cancelQuery },
  responses: stopped,
});

/** Runs that exist: list, get, delete, stop. */
export function runRoutes(deps: RunDeps): MountRoutes {
  const found = (c: ToRun) =>
    requireRun(deps, c.get("caller"), c.req.valid("param"));
  return (app) => {
    app.openapi(list, async (c) => {
      const { select, ...query } = c.req.valid("query");
      const { thread_id } = c.req.valid("param");
      const page = await listThreadRuns(deps, c.get("caller"), {
        thread_id,
        ...query,
      });
      setPagination(c, page);
      return c.json(
        select === undefined
          ? page.rows
          : page.rows.map((run) => pick(run, select)),
        200,
      );
    });
    app.openapi(get, async (c) => c.json(await found(c), 200));
    app.openapi(getById, async (c) => c.json(await found(c), 200));
    app.openapi(remove, async (c) => {
      await removeRun(deps, c.get("caller"), c.req.valid("param"));
      return c.body(null, 204);
    });
    app.openapi(cancel, (c) =>
      stop(c, deps, { ...c.req.valid("param"), ...c.req.valid("query") }),
    );
    app.openapi(cancelById, async (c) =>
      stop(c, deps, { ...(await found(c)), ...c.req.valid("query") }),
    );
  };
}

/** A request to a run, by its id and perhaps that of its thread. */
type ToRun = Context<
  AppEnv,
  string,
  { out: { param: { thread_id?: string; run_id: string } } }
>;

async function stop(
  c: Context<AppEnv>,
  deps: RunDeps,
  params: z.output<typeof cancelQuery> & { thread_id: string; run_id: string },
) {
  const { wait = false, action, reason: given } = params;
  const { thread_id, run_id } = params;
  const reason =
    given === undefined
      ? null
      : `${given}: its input was taken over by another run`;
  const { signal } = c.req.raw;
  const at = { thread_id, run_id };
  await cancelRun(deps, c.get("caller"), {
    ...at,
    action,
    wait,
    reason,
    signal,
  });
  if (wait) setLocation(c, at, "join");
  return c.body(null, wait ? 204 : 202);
}

const pick = <T extends object>(row: T, keys: readonly string[]): Partial<T> =>
  Object.fromEntries(
    Object.entries(row).filter(([key]) => keys.includes(key)),
  ) as Partial<T>;
