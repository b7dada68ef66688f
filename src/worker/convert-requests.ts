import type {
  Checkpoint,
  CheckpointMetadata,
} from "@langchain/langgraph-checkpoint";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import type {
  ConvertRequests,
  SerializedCheckpoint,
} from "../protocol/convert-frames.ts";
import type { RequestServer } from "../protocol/peer.ts";
import { CheckpointSerializer } from "./checkpoint-serializer.ts";
import { SpoolCheckpointer } from "./checkpointer.ts";
import { stagedPort } from "./staged-checkpoints.ts";
import { toWire } from "./wire-json.ts";

/** What other servers have stored, in our form. It needs LangGraph, and no graph. */
export function convertRequests(): RequestServer<ConvertRequests> {
  const serializer = new CheckpointSerializer();
  return {
    "convert.checkpoints": ({ thread_id, checkpoints }) =>
      converted(serializer, thread_id, checkpoints),
    "convert.values": async ({ values }) =>
      toWire(await serializer.loadsTyped("json", JSON.stringify(values))),
  };
}

async function converted(
  serializer: CheckpointSerializer,
  thread_id: string,
  checkpoints: readonly SerializedCheckpoint[],
): Promise<CheckpointWrite[]> {
  const port = stagedPort(null);
  const saver = new SpoolCheckpointer(port);
  const load = (data: Uint8Array) => serializer.loadsTyped("json", data);
  for (const { checkpoint_ns, parent_checkpoint_id, ...one } of checkpoints) {
    const checkpoint = (await load(one.checkpoint)) as Checkpoint;
    await saver.put(
      {
        configurable: {
          ...{ thread_id, checkpoint_ns },
          ...(parent_checkpoint_id === null
            ? {}
            : { checkpoint_id: parent_checkpoint_id }),
        },
      },
      checkpoint,
      (await load(one.metadata)) as CheckpointMetadata,
      checkpoint.channel_versions,
    );
  }
  return port.writes;
}
