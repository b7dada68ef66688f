import { createRoute, z } from "@hono/zod-openapi";
import { optional, queryList } from "../../model/fields.ts";
import {
  threadCreate,
  threadPatch,
  threadStatePatch,
} from "../../model/thread-requests.ts";
import { storageReportShape, threadShape } from "../../model/thread-shape.ts";
import { copyThread } from "../../services/thread-copy.ts";
import { createThread } from "../../services/thread-create.ts";
import { deleteThread } from "../../services/thread-delete.ts";
import {
  getThreadStorage,
  requireThread,
  updateThread,
} from "../../services/threads.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { pathId } from "../query.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";
import { threadSearchRoutes } from "./thread-search.ts";

const tags = ["Threads"];
const params = pathId("thread_id");

const nothing = (description: string) => ({ 204: { description } });

const postThread = createRoute({
  method: "post",
  path: "/threads",
  tags,
  summary: "Create a thread, empty or with a history",
  request: { body: jsonBody(threadCreate) },
  responses: {
    200: jsonResponse(threadShape, "The thread."),
    ...errorResponses(400, 404, 409, 422),
  },
});

const getOne = createRoute({
  method: "get",
  path: "/threads/{thread_id}",
  tags,
  summary: "Get a thread",
  request: {
    params,
    query: z.object({ include: optional(queryList(z.string())) }),
  },
  responses: {
    200: jsonResponse(threadShape, "The thread; its `ttl` with `include=ttl`."),
    ...errorResponses(404, 422),
  },
});

const patchOne = createRoute({
  method: "patch",
  path: "/threads/{thread_id}",
  tags,
  summary: "Change metadata and time to live of a thread",
  request: {
    params,
    headers: z.object({ prefer: z.string().optional() }),
    body: jsonBody(threadPatch),
  },
  responses: {
    200: jsonResponse(threadShape, "The thread."),
    ...nothing("Done, with `Prefer: return=minimal`."),
    ...errorResponses(404, 422),
  },
});

const deleteOne = createRoute({
  method: "delete",
  path: "/threads/{thread_id}",
  tags,
  summary: "Delete a thread with its runs and checkpoints",
  request: { params },
  responses: { ...nothing("It is gone."), ...errorResponses(404, 422) },
});

const postCopy = createRoute({
  method: "post",
  path: "/threads/{thread_id}/copy",
  tags,
  summary: "Copy a thread with its history",
  request: { params },
  responses: {
    200: jsonResponse(threadShape, "The copy."),
    ...errorResponses(409, 422),
  },
});

const patchState = createRoute({
  method: "patch",
  path: "/threads/{thread_id}/state",
  tags,
  summary: "Change metadata of a thread",
  request: { params, body: jsonBody(threadStatePatch) },
  responses: { ...nothing("Done."), ...errorResponses(404, 422) },
});

const getStorage = createRoute({
  method: "get",
  path: "/threads/{thread_id}/storage",
  tags,
  summary: "How much the checkpoints of a thread take up",
  request: { params },
  responses: {
    200: jsonResponse(storageReportShape, "Counts, and sizes in bytes."),
    ...errorResponses(404, 422),
  },
});

/** https://www.rfc-editor.org/rfc/rfc7240: preferences are separated by commas, their parameters by semicolons. */
const prefersMinimal = (prefer: string | undefined): boolean =>
  prefer !== undefined &&
  /(?:^|,)\s*return\s*=\s*"?minimal"?\s*(?:[;,]|$)/i.test(prefer);

export function threadRoutes(
  deps: Pick<AppDeps, "database" | "workers" | "defaultTtl">,
): MountRoutes {
  return (app) => {
    threadSearchRoutes(deps)(app);
    changeRoutes(deps)(app);

    app.openapi(postThread, async (c) => {
      const thread = await createThread(
        deps,
        c.get("caller"),
        c.req.valid("json"),
      );
      return c.json(thread, 200);
    });

    app.openapi(postCopy, async (c) => {
      const { thread_id } = c.req.valid("param");
      const copy = await copyThread(deps, c.get("caller"), thread_id);
      return c.json(copy, 200);
    });

    app.openapi(getOne, async (c) => {
      const { thread_id } = c.req.valid("param");
      const { include = [] } = c.req.valid("query");
      const withTtl = include.includes("ttl");
      const thread = await requireThread(deps, c.get("caller"), thread_id, {
        withTtl,
      });
      return c.json(thread, 200);
    });

    app.openapi(getStorage, async (c) => {
      const { thread_id } = c.req.valid("param");
      const report = await getThreadStorage(deps, c.get("caller"), thread_id);
      return c.json(report, 200);
    });
  };
}

function changeRoutes(deps: Pick<AppDeps, "database">): MountRoutes {
  return (app) => {
    app.openapi(patchOne, async (c) => {
      const { thread_id } = c.req.valid("param");
      const patch = c.req.valid("json");
      const thread = await updateThread(
        deps,
        c.get("caller"),
        thread_id,
        patch,
      );
      if (prefersMinimal(c.req.valid("header").prefer)) {
        c.header("Preference-Applied", "return=minimal");
        return c.body(null, 204);
      }
      return c.json(thread, 200);
    });

    app.openapi(patchState, async (c) => {
      const { thread_id } = c.req.valid("param");
      await updateThread(deps, c.get("caller"), thread_id, c.req.valid("json"));
      return c.body(null, 204);
    });

    app.openapi(deleteOne, async (c) => {
      await deleteThread(deps, c.get("caller"), c.req.valid("param").thread_id);
      return c.body(null, 204);
    });
  };
}
