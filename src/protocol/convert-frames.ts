import type { Json } from "../lib/json.ts";
import type { CheckpointWrite } from "./checkpoint-frames.ts";
import type { Method } from "./method.ts";

/** A checkpoint as LangGraph's own savers keep it: serialized as JSON, with its values. */
export interface SerializedCheckpoint {
  checkpoint_ns: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  checkpoint: Uint8Array;
  metadata: Uint8Array;
}

export type ConvertRequests = {
  /** Checkpoints of another saver as Spool stores them, in their order, which is to be that of their making. */
  "convert.checkpoints": Method<
    { thread_id: string; checkpoints: SerializedCheckpoint[] },
    CheckpointWrite[]
  >;
  /** Values that LangGraph has serialized, messages in them, as clients see them. */
  "convert.values": Method<{ values: Json }, Json>;
};
