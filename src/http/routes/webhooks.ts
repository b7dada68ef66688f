import { createRoute, z } from "@hono/zod-openapi";
import { MAX_PAGE, uuid } from "../../model/fields.ts";
import { DELIVERY_STATUSES } from "../../model/webhook.ts";
import type { RunDeps } from "../../services/run-deps.ts";
import {
  listWebhookDeliveries,
  replayWebhookDelivery,
} from "../../services/webhooks.ts";
import type { MountRoutes } from "../deps.ts";
import { setPagination } from "../pagination.ts";
import { integerParameter, pathId } from "../query.ts";
import { errorResponses, jsonResponse } from "../responses.ts";

const delivery = z
  .object({
    delivery_id: z.guid(),
    run_id: z.guid(),
    thread_id: z.guid(),
    url: z.string(),
    status: z.enum(DELIVERY_STATUSES),
    attempts: z.int(),
    next_attempt_at: z.string().nullable(),
    response_status: z.int().nullable(),
    last_error: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    delivered_at: z.string().nullable(),
    expires_at: z.string(),
  })
  .meta({ id: "WebhookDelivery" });

const list = createRoute({
  method: "get",
  path: "/webhooks/deliveries",
  tags: ["Webhooks"],
  summary: "List what was, is or could not be told to webhooks, newest first",
  description: "An addition of Spool: the official servers do not have it.",
  request: {
    query: z.object({
      status: z.enum(DELIVERY_STATUSES).optional(),
      run_id: uuid.optional(),
      limit: integerParameter({ min: 1, max: MAX_PAGE, default: 10 }),
      offset: integerParameter({ min: 0, default: 0 }),
    }),
  },
  responses: {
    200: jsonResponse(z.array(delivery), "One page."),
    ...errorResponses(422),
  },
});

const replay = createRoute({
  method: "post",
  path: "/webhooks/deliveries/{delivery_id}/replay",
  tags: ["Webhooks"],
  summary: "Send a webhook again, whatever has become of it",
  description: "An addition of Spool: the official servers do not have it.",
  request: { params: pathId("delivery_id") },
  responses: {
    200: jsonResponse(delivery, "It is pending, and due now."),
    ...errorResponses(404, 409, 422),
  },
});

export function webhookRoutes(deps: RunDeps): MountRoutes {
  return (app) => {
    app.openapi(list, async (c) => {
      const query = c.req.valid("query");
      const page = await listWebhookDeliveries(deps, c.get("caller"), query);
      setPagination(c, page);
      return c.json(page.rows, 200);
    });
    app.openapi(replay, async (c) => {
      const { delivery_id } = c.req.valid("param");
      return c.json(
        await replayWebhookDelivery(deps, c.get("caller"), delivery_id),
        200,
      );
    });
  };
}
