import { createRoute, z } from "@hono/zod-openapi";
import { CANCEL_ACTIONS } from "../../model/run.ts";
import { runBatch } from "../../model/run-requests.ts";
import { runsCancel } from "../../model/runs-cancel.ts";
import { createRunBatch } from "../../services/accept-run.ts";
import { cancelRuns } from "../../services/cancel-runs.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import type { MountRoutes } from "../deps.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";
import { runShape } from "../run-shapes.ts";

const batch = createRoute({
  method: "post",
  path: "/runs/batch",
  tags: ["Stateless runs"],
  summary: "Start many runs in the background: all of them, or none",
  request: { body: jsonBody(runBatch) },
  responses: {
    200: jsonResponse(
      z.array(runShape),
      "The runs, in the order of the batch.",
    ),
    ...errorResponses(404, 422),
  },
});

const cancelMany = createRoute({
  method: "post",
  path: "/runs/cancel",
  tags: ["Runs"],
  summary: "Stop many runs: all of a status, or some of a thread",
  request: {
    query: z.object({ action: z.enum(CANCEL_ACTIONS).default("interrupt") }),
    body: jsonBody(runsCancel),
  },
  responses: {
    204: { description: "They have stopped, or were told to." },
    ...errorResponses(404, 422),
  },
});

/** What is done to many runs at once. */
export function runManyRoutes(deps: RunDeps): MountRoutes {
  return (app) => {
    app.openapi(batch, async (c) => {
      const requests = c.req.valid("json");
      return c.json(await createRunBatch(deps, c.get("caller"), requests), 200);
    });
    app.openapi(cancelMany, async (c) => {
      const { action } = c.req.valid("query");
      const request = c.req.valid("json");
      await cancelRuns(deps, c.get("caller"), { action, request });
      return c.body(null, 204);
    });
  };
}
