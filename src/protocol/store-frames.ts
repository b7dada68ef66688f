import type { Json, JsonObject } from "../lib/json.ts";
import type { Method } from "./method.ts";

export interface StoreItem {
  namespace: string[];
  key: string;
  value: JsonObject;
  created_at: string;
  updated_at: string;
  /** Of what a query found: how alike it is, from -1 to 1; null when the query means nothing. */
  score?: number | null;
}

/** One operation of LangGraph's `BaseStore.batch`. */
export type StoreOperation =
  | { op: "get"; namespace: string[]; key: string; refresh_ttl?: boolean }
  | {
      op: "put";
      namespace: string[];
      key: string;
      /** Null deletes. */
      value: JsonObject | null;
      index?: false | string[];
      ttl_minutes?: number | null;
    }
  | {
      op: "search";
      namespace_prefix: string[];
      filter?: Record<string, Json>;
      limit: number;
      offset: number;
      query?: string;
    }
  | {
      op: "listNamespaces";
      prefix?: string[];
      suffix?: string[];
      max_depth?: number;
      limit: number;
      offset: number;
    };

export type StoreResult = StoreItem | null | StoreItem[] | string[][];

export type StoreRequests = {
  /** Results in the order of the operations. All puts are one transaction. */
  "store.batch": Method<{ operations: StoreOperation[] }, StoreResult[]>;
};
