import type {
  ChannelVersions,
  Checkpoint,
  CheckpointMetadata,
} from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";
import { SpoolCheckpointer } from "./checkpointer.ts";

/** Names the checkpoint, or is the server's own business. */
const isLeftOut = (key: string): boolean =>
  key.startsWith("__") ||
  key.startsWith("langgraph_auth_") ||
  ["checkpoint_ns", "checkpoint_id", "checkpoint_map"].includes(key);

/** Keeps with each checkpoint what it was made by: the run's metadata and `configurable`, below LangGraph's own metadata. */
export class RunCheckpointer extends SpoolCheckpointer {
  override put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const configurable = Object.entries(config.configurable ?? {}).filter(
      ([key]) => !isLeftOut(key),
    );
    return super.put(
      config,
      checkpoint,
      {
        ...Object.fromEntries(configurable),
        ...config.metadata,
        ...metadata,
      },
      newVersions,
    );
  }
}
