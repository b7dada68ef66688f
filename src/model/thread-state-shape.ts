import { z } from "zod";
import { jsonObject, jsonValue } from "./fields.ts";

/*
 * States as the API documents them. Nothing is checked against these: states
 * come from our own workers, and are typed by model/thread-state.ts.
 */

/** `jsonObject` says what type it is, and would say so of null. */
const objectOrNull = jsonObject
  .nullable()
  .meta({ type: ["object", "null"], additionalProperties: true });

const checkpoint = z
  .object({
    thread_id: z.string(),
    checkpoint_ns: z.string(),
    checkpoint_id: z.string(),
    checkpoint_map: objectOrNull,
  })
  .partial()
  .meta({ id: "Checkpoint" });

const interrupt = jsonObject.meta({
  id: "Interrupt",
  description: "`{id, value}`",
});

const task = z
  .object({
    id: z.string(),
    name: z.string(),
    path: z.array(jsonValue).optional(),
    error: z.string().nullable(),
    interrupts: z.array(interrupt),
    checkpoint: checkpoint.nullable(),
    state: objectOrNull.meta({
      type: ["object", "null"],
      description: "With `subgraphs`: the state of the subgraph, a ThreadState",
    }),
    result: jsonValue,
  })
  .meta({ id: "ThreadTask" });

export const threadStateShape = z
  .object({
    values: jsonValue,
    next: z.array(z.string()),
    tasks: z.array(task),
    metadata: objectOrNull,
    created_at: z.string().nullable(),
    checkpoint: checkpoint.nullable(),
    parent_checkpoint: checkpoint.nullable(),
    interrupts: z.array(interrupt),
  })
  .partial()
  .meta({ id: "ThreadState" });

export const stateUpdateShape = z
  .object({
    checkpoint,
    configurable: checkpoint,
    checkpoint_id: z.string().optional(),
  })
  .meta({ id: "ThreadStateUpdated" });
