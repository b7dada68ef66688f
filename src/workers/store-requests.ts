import type { RequestServer } from "../protocol/peer.ts";
import type { StoreRequests } from "../protocol/store-frames.ts";
import type { Database } from "../storage/database.ts";

export function storeRequests(_deps: {
  database: Database;
}): RequestServer<StoreRequests> {
  return {
    "store.batch": async () => [],
  };
}
