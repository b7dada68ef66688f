import { createRoute, z } from "@hono/zod-openapi";
import { threadPrune } from "../../model/thread-requests.ts";
import { threadCount, threadSearch } from "../../model/thread-search.ts";
import { threadRowShape } from "../../model/thread-shape.ts";
import { pruneThreads } from "../../services/thread-delete.ts";
import { countThreads, searchThreads } from "../../services/thread-search.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { setPagination } from "../pagination.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";

const tags = ["Threads"];

const postSearch = createRoute({
  method: "post",
  path: "/threads/search",
  tags,
  summary: "Search threads",
  request: { body: jsonBody(threadSearch) },
  responses: {
    200: jsonResponse(z.array(threadRowShape), "One page of them."),
    ...errorResponses(422),
  },
});

const postCount = createRoute({
  method: "post",
  path: "/threads/count",
  tags,
  summary: "Count threads",
  request: { body: jsonBody(threadCount) },
  responses: {
    200: jsonResponse(z.int(), "How many match."),
    ...errorResponses(422),
  },
});

const postPrune = createRoute({
  method: "post",
  path: "/threads/prune",
  tags,
  summary: "Delete threads, or all but the latest of their checkpoints",
  description:
    "Unknown threads are skipped. `keep_latest` also skips threads that have a run which has not ended.",
  request: { body: jsonBody(threadPrune) },
  responses: {
    200: jsonResponse(
      z.object({ pruned_count: z.int() }),
      "How many threads were pruned.",
    ),
    ...errorResponses(422),
  },
});

export function threadSearchRoutes(
  deps: Pick<AppDeps, "database">,
): MountRoutes {
  return (app) => {
    app.openapi(postSearch, async (c) => {
      const page = await searchThreads(
        deps,
        c.get("caller"),
        c.req.valid("json"),
      );
      setPagination(c, page);
      return c.json(page.rows, 200);
    });

    app.openapi(postCount, async (c) =>
      c.json(
        await countThreads(deps, c.get("caller"), c.req.valid("json")),
        200,
      ),
    );

    app.openapi(postPrune, async (c) => {
      const input = c.req.valid("json");
      const pruned_count = await pruneThreads(deps, c.get("caller"), input);
      return c.json({ pruned_count }, 200);
    });
  };
}
