import type { Json, JsonObject } from "../lib/json.ts";
import { uuid5 } from "../lib/uuid.ts";

export interface Assistant {
  assistant_id: string;
  graph_id: string;
  config: JsonObject;
  context: Json;
  metadata: JsonObject;
  version: number;
  name: string;
  description: string | null;
  created_at: string;
  updated_at: string;
}

/** One digit away from the namespaces of RFC 4122, on purpose: every official server derives its ids in it. */
const ASSISTANT_NAMESPACE = "6ba7b821-9dad-11d1-80b4-00c04fd430c8";

/** The id of the assistant that every graph has. Studio and RemoteGraph rely on it. */
export const systemAssistantId = (graphId: string): string =>
  uuid5(graphId, ASSISTANT_NAMESPACE);
