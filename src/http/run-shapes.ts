import { z } from "@hono/zod-openapi";
import { jsonObject } from "../model/fields.ts";
import { MULTITASK_STRATEGIES, RUN_STATUSES } from "../model/run.ts";

/** For the API document; responses are not checked against it. */
export const runShape = z
  .object({
    run_id: z.guid(),
    thread_id: z.guid(),
    assistant_id: z.guid(),
    created_at: z.string(),
    updated_at: z.string(),
    status: z.enum(RUN_STATUSES),
    metadata: jsonObject,
    kwargs: jsonObject,
    multitask_strategy: z.enum(MULTITASK_STRATEGIES),
    cancel_reason: z.string().nullable(),
    langsmith_session_name: z.string().nullable(),
  })
  .meta({ id: "Run" });

export const RUN_FIELDS = Object.keys(runShape.shape) as [
  keyof typeof runShape.shape,
  ...(keyof typeof runShape.shape)[],
];

export const runResult = jsonObject;

export const eventStream = {
  description:
    "Server-sent events: `metadata` first, then one per mode and step, `error` when the run failed, `end` last.",
  content: { "text/event-stream": { schema: z.string() } },
};
