import { z } from "zod";
import type { Json } from "../lib/json.ts";
import {
  jsonObject,
  jsonValue,
  lenientBoolean,
  limit,
  list,
  optional,
  uuid,
  withDefault,
} from "./fields.ts";
import { stateField } from "./thread-state-select.ts";

/** Which checkpoint. Its `thread_id`, if any, is ignored: the path names the thread. */
export const checkpointConfig = z
  .object({
    checkpoint_id: optional(uuid),
    checkpoint_ns: optional(z.string()),
    checkpoint_map: optional(
      jsonObject.refine(
        (map): map is Record<string, string> =>
          Object.values(map).every((id) => typeof id === "string"),
        "must map namespaces to checkpoint ids",
      ),
    ),
  })
  .meta({ id: "CheckpointConfig" });
export type CheckpointConfig = Partial<z.output<typeof checkpointConfig>>;

/** A checkpoint id, a checkpoint, or a config that holds one: each SDK has its own. Undefined when it names none. */
const before = z
  .union([
    uuid,
    z.object({
      checkpoint_id: optional(uuid),
      configurable: optional(z.object({ checkpoint_id: optional(uuid) })),
    }),
  ])
  .transform((given) =>
    typeof given === "string"
      ? given
      : (given.checkpoint_id ?? given.configurable?.checkpoint_id),
  );

const select = withDefault(list(z.array(stateField)), []);

export const threadStateRead = z
  .object({
    checkpoint: checkpointConfig,
    subgraphs: withDefault(lenientBoolean, false),
    select,
  })
  .meta({ id: "ThreadStateRead" });

export interface ThreadStateUpdate {
  update: { values: Json; as_node?: string };
  /** What to build on; the newest state of the root graph when absent. */
  checkpoint: CheckpointConfig | undefined;
}

export const threadStateUpdate = z
  .object({
    values: optional(
      jsonValue.refine((values) => typeof values === "object", {
        error: "must be an object, an array or null",
      }),
    ),
    as_node: optional(z.string().min(1)),
    checkpoint: optional(checkpointConfig),
    checkpoint_id: optional(uuid),
  })
  .transform(
    ({ values, as_node, checkpoint, checkpoint_id }): ThreadStateUpdate => ({
      update: {
        values: values ?? null,
        ...(as_node === undefined ? {} : { as_node }),
      },
      // The short form fills what the long one leaves open.
      checkpoint:
        checkpoint_id === undefined
          ? checkpoint
          : {
              ...checkpoint,
              checkpoint_id: checkpoint?.checkpoint_id ?? checkpoint_id,
            },
    }),
  )
  .meta({ id: "ThreadStateUpdate" });

/** Absent means one state, as the official server has it; both SDKs always send a limit. */
const DEFAULT_HISTORY = 1;

export const threadHistoryRead = z
  .object({
    limit: limit(DEFAULT_HISTORY),
    before: optional(before),
    metadata: optional(jsonObject),
    checkpoint: optional(checkpointConfig),
    select,
  })
  .meta({ id: "ThreadHistoryRead" });
