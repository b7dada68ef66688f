import { z } from "zod";
import {
  jsonObject,
  jsonValue,
  list,
  metadata,
  optional,
  ttlMinutes,
  uuid,
  withDefault,
} from "./fields.ts";
import { TTL_STRATEGIES } from "./thread.ts";

/** Minutes, or minutes with what is to happen then. */
export const threadTtl = z
  .preprocess(
    (given) => (typeof given === "number" ? { ttl: given } : given),
    z.object({
      strategy: withDefault(z.enum(TTL_STRATEGIES), "delete"),
      ttl: ttlMinutes,
    }),
  )
  .transform(({ strategy, ttl }) => ({ strategy, ttl_minutes: ttl }))
  .meta({
    description: "Minutes, or `{ttl: minutes, strategy}`",
    anyOf: [
      { type: "number" },
      {
        type: "object",
        properties: {
          ttl: { type: "number" },
          strategy: { type: "string", enum: [...TTL_STRATEGIES] },
        },
        required: ["ttl"],
      },
    ],
  });

const stateUpdate = z.object({
  values: optional(
    jsonValue.refine((values) => typeof values === "object", {
      error: "must be an object, an array or null",
    }),
  ),
  command: optional(jsonObject),
  as_node: z.string().min(1),
});

const superstep = z.object({ updates: list(z.array(stateUpdate).min(1)) });

export const threadCreate = z
  .object({
    thread_id: optional(uuid),
    metadata: withDefault(metadata, {}),
    if_exists: withDefault(z.enum(["raise", "do_nothing"]), "raise"),
    ttl: optional(threadTtl),
    supersteps: withDefault(list(z.array(superstep)), []),
  })
  .meta({ id: "ThreadCreate" });
export type ThreadCreate = z.output<typeof threadCreate>;

export const threadPatch = z
  .object({ metadata: withDefault(metadata, {}), ttl: optional(threadTtl) })
  .meta({ id: "ThreadPatch" });
export type ThreadPatch = z.output<typeof threadPatch>;

/** Metadata is all that a client may set of the state this way. */
export const threadStatePatch = z
  .object({ metadata: withDefault(metadata, {}) })
  .meta({ id: "ThreadStatePatch" });

export const threadPrune = z
  .object({
    thread_ids: list(z.array(uuid)),
    strategy: withDefault(z.enum(TTL_STRATEGIES), "delete"),
  })
  .meta({ id: "ThreadPrune" });
export type ThreadPrune = z.output<typeof threadPrune>;
