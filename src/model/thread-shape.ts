import { z } from "zod";
import { jsonObject, jsonValue } from "./fields.ts";
import { THREAD_STATUSES, TTL_STRATEGIES } from "./thread.ts";

/*
 * Threads as the API documents them. Nothing is checked against these: rows
 * come from our own tables, and are typed by model/thread.ts.
 */

const timestamp = z.string().meta({ format: "date-time" });

const threadFields = z.object({
  thread_id: z.string().meta({ format: "uuid" }),
  created_at: timestamp,
  updated_at: timestamp,
  state_updated_at: timestamp,
  metadata: jsonObject,
  config: jsonObject,
  status: z.enum(THREAD_STATUSES),
  values: jsonValue.meta({
    description: "The last state of the root graph; null before there is one",
  }),
  interrupts: jsonObject.meta({
    description: "Task id -> interrupts that wait for an answer",
  }),
  error: jsonValue.meta({
    description: "Why the last run failed; null unless `status` is `error`",
  }),
});

const ttl = z.object({
  strategy: z.enum(TTL_STRATEGIES),
  ttl_minutes: z.number(),
  expires_at: timestamp.nullable().meta({
    description:
      "Null once `keep_latest` is done, until the thread changes again",
  }),
});

export const threadShape = threadFields
  .extend({
    ttl: ttl.nullable().optional().meta({
      description: "With `include=ttl`; null when the thread lives for ever",
    }),
  })
  .meta({ id: "Thread" });

export const threadRowShape = threadFields
  .partial()
  .extend({
    extracted: jsonObject.optional().meta({
      description: "Alias -> what is at its path, or null",
    }),
  })
  .meta({ id: "ThreadRow" });

const bytes = z.int();

export const storageReportShape = z
  .object({
    thread_id: z.string().meta({ format: "uuid" }),
    total_bytes: bytes,
    checkpoints: z.object({ count: z.int(), bytes }),
    channel_values: z.object({
      count: z.int(),
      bytes,
      by_channel: z.record(z.string(), z.object({ versions: z.int(), bytes })),
    }),
    pending_writes: z.object({ count: z.int(), bytes }),
  })
  .meta({ id: "ThreadStorage" });
