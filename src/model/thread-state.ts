import type { Json, JsonObject } from "../lib/json.ts";
import type { Interrupt } from "./thread.ts";

/** Which checkpoint, on the wire. */
export interface CheckpointRef {
  thread_id?: string;
  checkpoint_ns?: string;
  checkpoint_id?: string;
  checkpoint_map?: Record<string, string> | null;
}

export interface ThreadTask {
  id: string;
  name: string;
  path?: Json[];
  error: string | null;
  interrupts: Interrupt[];
  checkpoint: CheckpointRef | null;
  state: ThreadState | null;
  result: Json;
}

/** The state of a thread at one checkpoint, as the API shows it. */
export interface ThreadState {
  values: Json;
  next: string[];
  tasks: ThreadTask[];
  metadata: JsonObject | null;
  created_at: string | null;
  checkpoint: CheckpointRef | null;
  parent_checkpoint: CheckpointRef | null;
  interrupts: Interrupt[];
}

/** What a thread without any checkpoint answers. */
export const EMPTY_STATE: ThreadState = {
  values: {},
  next: [],
  tasks: [],
  metadata: null,
  created_at: null,
  checkpoint: null,
  parent_checkpoint: null,
  interrupts: [],
};
