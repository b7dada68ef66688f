import { createRoute, z } from "@hono/zod-openapi";
import {
  CRON_FIELDS,
  cronCount,
  cronCreate,
  cronPatch,
  cronSearch,
  threadCronCreate,
  type CronField,
} from "../../model/cron-requests.ts";
import { cronShape } from "../../model/cron-shape.ts";
import type { Cron } from "../../model/cron.ts";
import {
  changeCron,
  countMatchingCrons,
  createCron,
  listCrons,
  readCron,
  removeCron,
} from "../../services/crons.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { setPagination } from "../pagination.ts";
import { pathId } from "../query.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";

const tags = ["Crons"];
const params = pathId("cron_id");

const createOnThread = createRoute({
  method: "post",
  path: "/threads/{thread_id}/runs/crons",
  tags,
  summary: "Create a cron that runs on a thread",
  request: {
    params: pathId("thread_id"),
    body: jsonBody(threadCronCreate),
  },
  responses: {
    200: jsonResponse(cronShape, "The cron."),
    ...errorResponses(404, 422),
  },
});

const create = createRoute({
  method: "post",
  path: "/runs/crons",
  tags,
  summary: "Create a cron whose runs have threads of their own",
  request: { body: jsonBody(cronCreate) },
  responses: {
    200: jsonResponse(cronShape, "The cron."),
    ...errorResponses(404, 422),
  },
});

const search = createRoute({
  method: "post",
  path: "/runs/crons/search",
  tags,
  summary: "Search crons",
  request: { body: jsonBody(cronSearch) },
  responses: {
    200: jsonResponse(
      z.array(cronShape.partial()),
      "One page; `X-Pagination-Total` counts all, `X-Pagination-Next` is the offset of the next one.",
    ),
    ...errorResponses(422),
  },
});

const count = createRoute({
  method: "post",
  path: "/runs/crons/count",
  tags,
  summary: "Count crons",
  request: { body: jsonBody(cronCount) },
  responses: {
    200: jsonResponse(z.int(), "The number."),
    ...errorResponses(422),
  },
});

const get = createRoute({
  method: "get",
  path: "/runs/crons/{cron_id}",
  tags,
  summary: "One cron",
  request: { params },
  responses: {
    200: jsonResponse(cronShape, "The cron."),
    ...errorResponses(404, 422),
  },
});

const patch = createRoute({
  method: "patch",
  path: "/runs/crons/{cron_id}",
  tags,
  summary: "Change a cron",
  request: { params, body: jsonBody(cronPatch) },
  responses: {
    200: jsonResponse(
      cronShape,
      "The cron; what was left out is as it was, metadata is merged.",
    ),
    ...errorResponses(404, 422),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/runs/crons/{cron_id}",
  tags,
  summary: "Delete a cron; its runs stay",
  request: { params },
  responses: {
    204: { description: "It is gone." },
    ...errorResponses(404, 422),
  },
});

/** Goes before the routes of runs: `crons` is no id of a run. */
export function cronRoutes(deps: AppDeps): MountRoutes {
  return (app) => {
    app.openapi(createOnThread, async (c) => {
      const cron = await createCron(deps, c.get("caller"), {
        ...c.req.valid("param"),
        request: c.req.valid("json"),
      });
      return c.json(cron, 200);
    });
    app.openapi(create, async (c) => {
      const cron = await createCron(deps, c.get("caller"), {
        thread_id: null,
        request: c.req.valid("json"),
      });
      return c.json(cron, 200);
    });
    app.openapi(search, async (c) => {
      const asked = c.req.valid("json");
      const page = await listCrons(deps, c.get("caller"), asked);
      setPagination(c, page);
      return c.json(page.rows.map(selected(asked.select)), 200);
    });
    app.openapi(count, async (c) =>
      c.json(
        await countMatchingCrons(deps, c.get("caller"), c.req.valid("json")),
        200,
      ),
    );
    app.openapi(get, async (c) => {
      const { cron_id } = c.req.valid("param");
      return c.json(await readCron(deps, c.get("caller"), cron_id), 200);
    });
    app.openapi(patch, async (c) => {
      const cron = await changeCron(deps, c.get("caller"), {
        ...c.req.valid("param"),
        patch: c.req.valid("json"),
      });
      return c.json(cron, 200);
    });
    app.openapi(remove, async (c) => {
      await removeCron(deps, c.get("caller"), c.req.valid("param").cron_id);
      return c.body(null, 204);
    });
  };
}

const selected =
  (select: readonly string[]) =>
  (cron: Cron): Partial<Cron> => {
    if (select.length === 0) return cron;
    const fields: CronField[] = CRON_FIELDS.filter((field) =>
      select.includes(field),
    );
    return Object.fromEntries(fields.map((field) => [field, cron[field]]));
  };
