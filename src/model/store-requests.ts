import { z } from "zod";
import {
  jsonObject,
  lenientBoolean,
  limit,
  offset,
  optional,
  ttlMinutes,
  withDefault,
} from "./fields.ts";

/*
 * What a client may ask of the store. The rules of namespaces and keys are in
 * model/store-item.ts: they hold for graphs too.
 */

const labels = z.array(z.string());

export const storePut = z
  .object({
    namespace: labels,
    key: z.string(),
    value: jsonObject,
    index: optional(
      z.union([
        z.literal(false, { error: "must be false" }),
        z.array(z.string(), { error: "must be a list of paths" }),
      ]),
    ).meta({
      description:
        "What is embedded of it: paths, or false for nothing. Without store.index it has no effect",
    }),
    // Null is not the same as absent here: it means for ever, whatever the default is.
    ttl: ttlMinutes.nullish().meta({ description: "Minutes" }),
  })
  .meta({ id: "StorePutRequest" });
export type StorePut = z.output<typeof storePut>;

/** `a.b` in one, as the SDKs send it, or one label at a time. */
const queryNamespace = z
  .preprocess((given) => {
    if (Array.isArray(given)) return given as unknown;
    return typeof given === "string" && given !== "" ? given.split(".") : [];
  }, labels)
  .meta({ type: "array", items: { type: "string" } });

export const storeGet = z.object({
  namespace: queryNamespace,
  key: z.string(),
  refresh_ttl: optional(lenientBoolean),
});
export type StoreGet = z.output<typeof storeGet>;

export const storeDelete = z
  .object({ namespace: optional(labels), key: z.string() })
  .meta({ id: "StoreDeleteRequest" });
export type StoreDelete = z.output<typeof storeDelete>;

export const storeSearch = z
  .object({
    namespace_prefix: withDefault(labels, []),
    filter: optional(jsonObject),
    limit: limit(10),
    offset,
    query: optional(z.string()).meta({
      description:
        "Finds items by what they mean. Without store.index it has no effect",
    }),
    refresh_ttl: optional(lenientBoolean),
  })
  .meta({ id: "StoreSearchRequest" });
export type StoreSearchRequest = z.output<typeof storeSearch>;

export const storeListNamespaces = z
  .object({
    prefix: withDefault(labels, []),
    suffix: withDefault(labels, []),
    max_depth: optional(z.int().min(1)),
    limit: limit(100),
    offset,
  })
  .meta({ id: "StoreListNamespacesRequest" });
export type StoreListNamespaces = z.output<typeof storeListNamespaces>;

const timestamp = z.string().meta({ format: "date-time" });

/** As the API documents it; nothing is checked against it. */
export const storeItemShape = z
  .object({
    namespace: labels,
    key: z.string(),
    value: jsonObject,
    created_at: timestamp,
    updated_at: timestamp,
    score: z
      .number()
      .nullable()
      .optional()
      .meta({ description: "Of what a query has found: from -1 to 1" }),
  })
  .meta({ id: "Item" });
