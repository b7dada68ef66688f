import { z } from "zod";
import {
  jsonObject,
  jsonValue,
  limit,
  list,
  metadata,
  offset,
  optional,
  uuid,
  withDefault,
} from "./fields.ts";
import { graphConfig } from "./graph-config.ts";

export const ASSISTANT_FIELDS = [
  "assistant_id",
  "graph_id",
  "name",
  "description",
  "config",
  "context",
  "created_at",
  "updated_at",
  "metadata",
  "version",
] as const;
export type AssistantField = (typeof ASSISTANT_FIELDS)[number];

export const ASSISTANT_SORTS = [
  "assistant_id",
  "graph_id",
  "name",
  "created_at",
  "updated_at",
] as const;

const filters = {
  metadata: optional(jsonObject),
  graph_id: optional(z.string()),
  /** Any part of the name, whatever its case. */
  name: optional(z.string()),
};

export const assistantCount = z.object(filters).meta({ id: "AssistantCount" });
export type AssistantCount = z.output<typeof assistantCount>;

export const assistantSearch = z
  .object({
    ...filters,
    limit: limit(10),
    offset,
    sort_by: withDefault(z.enum(ASSISTANT_SORTS), "created_at"),
    sort_order: withDefault(z.enum(["asc", "desc"]), "desc"),
    /** Empty: all fields. */
    select: withDefault(list(z.array(z.enum(ASSISTANT_FIELDS))), []),
  })
  .meta({ id: "AssistantSearch" });
export type AssistantSearch = z.output<typeof assistantSearch>;

const content = {
  config: optional(graphConfig),
  /** Any JSON; graphs expect an object. */
  context: optional(jsonValue),
  description: optional(z.string()),
};

export const assistantCreate = z
  .object({
    ...content,
    graph_id: z.string(),
    assistant_id: optional(uuid),
    metadata: withDefault(metadata, {}),
    if_exists: withDefault(z.enum(["raise", "do_nothing"]), "raise"),
    name: withDefault(z.string(), "Untitled"),
  })
  .meta({ id: "AssistantCreate" });
export type AssistantCreate = z.output<typeof assistantCreate>;

export const assistantPatch = z
  .object({
    ...content,
    graph_id: optional(z.string()),
    /** Laid over the metadata that is there; the rest replaces. */
    metadata: withDefault(metadata, {}),
    name: optional(z.string()),
  })
  .meta({ id: "AssistantPatch" });
export type AssistantPatch = z.output<typeof assistantPatch>;

export const assistantVersionSearch = z
  .object({ metadata: optional(jsonObject), limit: limit(10), offset })
  .meta({ id: "AssistantVersionSearch" });
export type AssistantVersionSearch = z.output<typeof assistantVersionSearch>;
