import { systemAssistantId } from "../model/assistant.ts";
import type { JsonObject } from "../lib/json.ts";
import { requireNamespace } from "../model/store-item.ts";
import { joined } from "../storage/store.ts";
import type { Row } from "../storage/table-rows.ts";
import { Unmovable, type ForeignUnit } from "./foreign.ts";
import { isoTime } from "./threads.ts";

/** An assistant or a version of one, as every server tells it. */
export interface ForeignAssistant extends JsonObject {
  assistant_id: string;
  graph_id: string;
  version: number;
  created_at: string;
}

/** Every server makes these for itself. */
export const isMadeByServer = ({
  assistant_id,
  graph_id,
  version,
}: ForeignAssistant): boolean =>
  assistant_id === systemAssistantId(graph_id) && version === 1;

export const assistantUnit = (
  assistant: ForeignAssistant,
  versions: () => AsyncIterable<ForeignAssistant> | Iterable<ForeignAssistant>,
): ForeignUnit => ({
  table: "assistants",
  head: {
    ...versionRow(assistant),
    updated_at: isoTime(String(assistant["updated_at"])),
  },
  compared: ["version", "updated_at"],
  load: async () => {
    const rows = [];
    for await (const version of versions())
      rows.push({ table: "assistant_versions", row: versionRow(version) });
    return { rows, checkpoints: [] };
  },
});

const versionRow = (assistant: ForeignAssistant): Row => ({
  assistant_id: assistant.assistant_id,
  version: assistant.version,
  graph_id: assistant.graph_id,
  name: assistant["name"] ?? assistant.graph_id,
  description: assistant["description"] ?? null,
  config: assistant["config"] ?? {},
  context: assistant["context"] ?? {},
  metadata: assistant["metadata"] ?? {},
  created_at: isoTime(assistant.created_at),
});

export const itemUnit = (item: {
  namespace: readonly string[];
  key: string;
  value: JsonObject;
  created_at: string;
  updated_at: string;
}): ForeignUnit => ({
  table: "store_items",
  head: {
    namespace: joined(item.namespace),
    key: item.key,
    value: item.value,
    created_at: isoTime(item.created_at),
    updated_at: isoTime(item.updated_at),
    indexed_as: null,
  },
  compared: ["value"],
  load: async () => {
    requireMovable(item.namespace);
    return { rows: [], checkpoints: [] };
  },
});

/** Labels are joined with '.'. */
function requireMovable(namespace: readonly string[]): void {
  try {
    requireNamespace(namespace, { field: "namespace", allowEmpty: false });
  } catch (cause) {
    throw new Unmovable((cause as Error).message, { cause });
  }
}
