import { createRoute, z } from "@hono/zod-openapi";
import { lenientBoolean, MAX_PAGE, queryList } from "../../model/fields.ts";
import { RUN_STATUSES } from "../../model/run.ts";
import { cancelRun } from "../../services/cancel-run.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import { listThreadRuns, removeRun, requireRun } from "../../services/runs.ts";
import type { MountRoutes } from "../deps.ts";
import { setPagination } from "../pagination.ts";
import { integerParameter, pathId } from "../query.ts";
import { jsonResponse } from "../responses.ts";
import { setLocation } from "../run-responses.ts";
import { RUN_FIELDS, runShape } from "../run-shapes.ts";

const threadId = pathId("thread_id");
const threadAndRun = pathId("thread_id", "run_id");

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

const cancel = createRoute({
  method: "post",
  path: "/threads/{thread_id}/runs/{run_id}/cancel",
  tags: ["Runs"],
  summary: "Stop a run",
  request: {
    params: threadAndRun,
    query: z.object({
      wait: lenientBoolean.optional(),
      action: z.enum(["interrupt", "rollback"]).default("interrupt"),
      reason: z.enum(["taken"]).optional(),
    }),
  },
  responses: {
    202: { description: "The run was told to stop." },
    204: { description: "The run has stopped (`wait`)." },
  },
});

/** Runs that exist: list, get, delete, stop. */
export function runRoutes(deps: RunDeps): MountRoutes {
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
    app.openapi(get, async (c) =>
      c.json(
        await requireRun(deps, c.get("caller"), c.req.valid("param")),
        200,
      ),
    );
    app.openapi(remove, async (c) => {
      await removeRun(deps, c.get("caller"), c.req.valid("param"));
      return c.body(null, 204);
    });
    app.openapi(cancel, async (c) => {
      const { wait = false, action, reason = null } = c.req.valid("query");
      const signal = c.req.raw.signal;
      const taken =
        reason === null
          ? null
          : `${reason}: its input was taken over by another run`;
      await cancelRun(deps, c.get("caller"), {
        ...c.req.valid("param"),
        action,
        wait,
        reason: taken,
        signal,
      });
      if (wait) setLocation(c, c.req.valid("param"), "join");
      return c.body(null, wait ? 204 : 202);
    });
  };
}

const pick = <T extends object>(row: T, keys: readonly string[]): Partial<T> =>
  Object.fromEntries(
    Object.entries(row).filter(([key]) => keys.includes(key)),
  ) as Partial<T>;
