import { z } from "zod";
import { isObject } from "../lib/json.ts";
import { parseExtractPath, type ExtractPath } from "./extract-path.ts";
import {
  jsonObject,
  limit,
  list,
  offset,
  optional,
  uuid,
  withDefault,
} from "./fields.ts";
import { THREAD_STATUSES } from "./thread.ts";

/** What `select` may name. `context` is a name that clients know and threads do not have. */
export const THREAD_SELECT = [
  "thread_id",
  "created_at",
  "updated_at",
  "state_updated_at",
  "metadata",
  "config",
  "context",
  "status",
  "values",
  "interrupts",
] as const;

export const THREAD_SORTS = [
  "thread_id",
  "status",
  "created_at",
  "updated_at",
  "state_updated_at",
] as const;
export type ThreadSort = (typeof THREAD_SORTS)[number];

const MAX_EXTRACTS = 10;

/** Alias and path; a list, so that an alias may have any name. */
export type Extract = readonly [alias: string, path: ExtractPath];

const extract = z
  .unknown()
  .transform((given, context): Extract[] => {
    const fail = (message: string, alias?: string): never[] => {
      const path = alias === undefined ? [] : [alias];
      context.addIssue({ code: "custom", message, path, input: given });
      return [];
    };
    if (!isObject(given)) return fail("must be an object of paths");
    const entries = Object.entries(given);
    if (entries.length > MAX_EXTRACTS)
      return fail(`must have at most ${MAX_EXTRACTS} entries`);
    return entries.flatMap(([alias, text]) => {
      const path = typeof text === "string" ? parseExtractPath(text) : null;
      if (path !== null) return [[alias, path] as const];
      return fail(
        "must be a path that starts with values, metadata, config or interrupts, such as values.messages[-1]",
        alias,
      );
    });
  })
  .meta({ type: "object", additionalProperties: { type: "string" } });

const filters = {
  metadata: optional(jsonObject),
  values: optional(jsonObject),
  status: optional(z.enum(THREAD_STATUSES)),
};

export const threadSearch = z
  .object({
    ...filters,
    ids: withDefault(list(z.array(uuid)), []),
    limit: limit(10),
    offset,
    sort_by: withDefault(z.enum(THREAD_SORTS), "updated_at"),
    sort_order: withDefault(z.enum(["asc", "desc"]), "desc"),
    select: withDefault(list(z.array(z.enum(THREAD_SELECT))), []),
    extract: withDefault(extract, []),
  })
  .meta({ id: "ThreadSearch" });
export type ThreadSearch = z.output<typeof threadSearch>;

export const threadCount = z.object(filters).meta({ id: "ThreadCount" });
export type ThreadCount = z.output<typeof threadCount>;
