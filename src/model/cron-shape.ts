import { z } from "zod";
import { ON_RUN_COMPLETED } from "./cron.ts";
import { jsonObject } from "./fields.ts";

const timestamp = z.string().meta({ format: "date-time" });
const id = z.string().meta({ format: "uuid" });

/** `Cron`, for the description of the API. */
export const cronShape = z
  .object({
    cron_id: id,
    assistant_id: id,
    thread_id: id.nullable().meta({
      description: "Null: each of its runs gets a thread of its own",
    }),
    on_run_completed: z.enum(ON_RUN_COMPLETED).nullable().meta({
      description: "What becomes of that thread",
    }),
    schedule: z.string(),
    timezone: z.string().nullable().meta({ description: "Null is UTC" }),
    end_time: timestamp.nullable(),
    enabled: z.boolean(),
    next_run_date: timestamp.nullable().meta({
      description: "Null: it will not fire as it stands",
    }),
    user_id: z.string().nullable(),
    metadata: jsonObject,
    payload: jsonObject.meta({
      description: "The body of the run that each tick creates",
    }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: "Cron" });
