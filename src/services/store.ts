import type { Caller } from "../auth/caller.ts";
import { jsonContains, type JsonObject } from "../lib/json.ts";
import { accessPattern, UNRESTRICTED } from "../model/access.ts";
import { forbidden, notFound } from "../model/errors.ts";
import {
  lifetime,
  requireAddress,
  requireNamespace,
  storeDocument,
  type StoreAddress,
  type StoreTtl,
} from "../model/store-item.ts";
import type {
  StoreDelete,
  StoreGet,
  StoreListNamespaces,
  StorePut,
  StoreSearchRequest,
} from "../model/store-requests.ts";
import type { StoreItem } from "../protocol/store-frames.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { listStoreNamespaces } from "../storage/store-search.ts";
import {
  deleteStoreItem,
  getStoreItem,
  refreshStoreItem,
  type StoreRow,
} from "../storage/store.ts";
import { putWithVectors } from "../storage/store-vectors.ts";
import type { Embedder } from "../workers/embedder.ts";
import { findItems } from "../workers/find-items.ts";

/*
 * The store as clients see it; graphs have the same items by
 * workers/store-requests.ts, but for what a caller may see.
 */

export interface StoreDeps {
  database: Database;
  storeTtl: StoreTtl;
  /** Null: the store has no index. */
  embedder: Embedder | null;
}

const itemNotFound = () => notFound("Item not found");

/** Throws 404 when an item is there that the caller may not see, 403 when they may not have this one. */
export async function putItem(
  { database, storeTtl, embedder }: StoreDeps,
  caller: Caller,
  { namespace, key, value, index, ttl }: StorePut,
): Promise<void> {
  requireAddress({ namespace, key });
  const item = {
    ...{ namespace, key, value, index_paths: index },
    ttl_minutes: lifetime(ttl, storeTtl),
  };
  if (!mayHave(caller, item)) throw await refusal(database, caller, item);
  const vectors = (await embedder?.ofItem(value, index)) ?? null;
  const outcome = await database.transaction((tx) =>
    putWithVectors(tx, { item, vectors }, caller.access),
  );
  if (outcome === "hidden") throw itemNotFound();
}

/** Null when there is none; throws 404 when the caller may not see it. */
export async function getItem(
  { database, storeTtl }: StoreDeps,
  caller: Caller,
  { refresh_ttl, ...at }: StoreGet,
): Promise<StoreItem | null> {
  requireAddress(at);
  const row = await getStoreItem(database, at, caller.access);
  if (row === null) {
    if (await isHidden(database, caller, at)) throw itemNotFound();
    return null;
  }
  await touch(database, [row], refresh_ttl ?? storeTtl.refresh_on_read);
  return shown(row);
}

/** Throws 404 when the caller may not see the item, 403 when there is none and they may not have one there. */
export async function deleteItem(
  { database }: StoreDeps,
  caller: Caller,
  { namespace, key }: StoreDelete,
): Promise<void> {
  if (namespace === undefined) return; // no item is without a namespace
  const at = { namespace, key };
  requireAddress(at);
  await database.transaction(async (tx) => {
    const isGone = await deleteStoreItem(tx, at, caller.access);
    if (!isGone && !mayHave(caller, at)) throw await refusal(tx, caller, at);
  });
}

export async function searchItems(
  { database, storeTtl, embedder }: StoreDeps,
  caller: Caller,
  { refresh_ttl, query, ...search }: StoreSearchRequest,
): Promise<StoreItem[]> {
  const { namespace_prefix } = search;
  requireNamespace(namespace_prefix, {
    field: "namespace_prefix",
    allowEmpty: true,
  });
  const rows = await findItems(
    { database, embedder },
    { ...search, query },
    caller.access,
  );
  await touch(database, rows, refresh_ttl ?? storeTtl.refresh_on_read);
  return rows.map(shown);
}

export async function listNamespaces(
  { database }: StoreDeps,
  caller: Caller,
  query: StoreListNamespaces,
): Promise<string[][]> {
  requireNamespace(query.prefix, { field: "prefix", allowEmpty: true });
  requireNamespace(query.suffix, { field: "suffix", allowEmpty: true });
  return listStoreNamespaces(database, query, caller.access);
}

/** Whether an item like this would be one that the caller may see. */
const mayHave = (
  { access }: Caller,
  item: StoreAddress & { value?: JsonObject },
): boolean =>
  access === null || jsonContains(storeDocument(item), accessPattern(access));

async function refusal(
  db: Queryable,
  caller: Caller,
  at: StoreAddress,
): Promise<Error> {
  return (await isHidden(db, caller, at))
    ? itemNotFound()
    : forbidden("Not authorized");
}

async function isHidden(
  db: Queryable,
  { access }: Caller,
  at: StoreAddress,
): Promise<boolean> {
  if (access === null) return false;
  if ((await getStoreItem(db, at, access)) !== null) return false;
  return (await getStoreItem(db, at, UNRESTRICTED)) !== null;
}

/** The time of items that do not live for ever starts again. */
async function touch(
  database: Database,
  rows: readonly StoreRow[],
  refresh: boolean,
): Promise<void> {
  const mortal = refresh
    ? rows.filter(({ ttl_minutes }) => ttl_minutes !== null)
    : [];
  if (mortal.length === 0) return;
  await database.transaction(async (tx) => {
    for (const row of mortal) await refreshStoreItem(tx, row);
  });
}

const shown = ({ ttl_minutes: _, ...item }: StoreRow): StoreItem => item;
