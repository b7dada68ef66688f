import { UNRESTRICTED } from "../model/access.ts";
import {
  lifetime,
  NO_STORE_TTL,
  requireAddress,
  requireNamespace,
  type StoreTtl,
} from "../model/store-item.ts";
import type { RequestServer } from "../protocol/peer.ts";
import type {
  StoreItem,
  StoreOperation,
  StoreRequests,
  StoreResult,
} from "../protocol/store-frames.ts";
import type { Database, Queryable } from "../storage/database.ts";
import {
  listStoreNamespaces,
  searchStoreItems,
} from "../storage/store-search.ts";
import {
  deleteStoreItem,
  getStoreItem,
  putStoreItem,
  refreshStoreItem,
  type StoreRow,
} from "../storage/store.ts";

/** Answers the stores of workers. A graph may see every item. */
export function storeRequests(deps: {
  database: Database;
  ttl?: StoreTtl;
}): RequestServer<StoreRequests> {
  const { database, ttl = NO_STORE_TTL } = deps;
  return {
    "store.batch": async ({ operations }) => {
      operations.forEach(requireValid);
      return runBatch(database, operations, ttl);
    },
  };
}

/**
 * In the order of the operations. From the first put to the last they are one
 * transaction; reads before and after need none, and do not hold up writers.
 */
async function runBatch(
  database: Database,
  operations: readonly StoreOperation[],
  ttl: StoreTtl,
): Promise<StoreResult[]> {
  const firstPut = operations.findIndex(isPut);
  if (firstPut === -1) return readAll(database, operations, ttl);
  const end = operations.findLastIndex(isPut) + 1;
  const before = operations.slice(0, firstPut);
  const changes = operations.slice(firstPut, end);
  const after = operations.slice(end);
  return [
    ...(await readAll(database, before, ttl)),
    ...(await durably(database, (tx) => runAll(tx, changes, ttl))),
    ...(await readAll(database, after, ttl)),
  ];
}

/** A graph may act on what it has put: it hears of it when it is on the disk. */
async function durably<T>(
  database: Database,
  fn: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const result = await database.transaction(fn);
  await database.durable();
  return result;
}

const isPut = (
  operation: StoreOperation,
): operation is StoreOperation & { op: "put" } => operation.op === "put";

async function runAll(
  tx: Queryable,
  operations: readonly StoreOperation[],
  ttl: StoreTtl,
): Promise<StoreResult[]> {
  const results: StoreResult[] = [];
  for (const operation of operations) {
    if (isPut(operation)) {
      await put(tx, operation, ttl);
      results.push(null);
      continue;
    }
    const { result, touched } = await read(tx, operation, ttl);
    for (const item of touched) await refreshStoreItem(tx, item);
    results.push(result);
  }
  return results;
}

async function readAll(
  database: Database,
  operations: readonly StoreOperation[],
  ttl: StoreTtl,
): Promise<StoreResult[]> {
  const reads = await Promise.all(
    operations.map((operation) => read(database, operation, ttl)),
  );
  const touched = reads.flatMap((one) => one.touched);
  if (touched.length > 0)
    await database.transaction(async (tx) => {
      for (const item of touched) await refreshStoreItem(tx, item);
    });
  return reads.map(({ result }) => result);
}

interface Read {
  result: StoreResult;
  /** Items whose time starts again. */
  touched: StoreRow[];
}

async function read(
  db: Queryable,
  operation: StoreOperation,
  ttl: StoreTtl,
): Promise<Read> {
  switch (operation.op) {
    case "get": {
      const row = await getStoreItem(db, operation, UNRESTRICTED);
      const refresh = operation.refresh_ttl ?? ttl.refresh_on_read;
      return {
        result: row === null ? null : shown(row),
        touched: row === null || !refresh ? [] : mortal([row]),
      };
    }
    case "search": {
      const rows = await searchStoreItems(db, operation, UNRESTRICTED);
      return {
        result: rows.map(shown),
        touched: ttl.refresh_on_read ? mortal(rows) : [],
      };
    }
    case "listNamespaces":
      return {
        result: await listStoreNamespaces(db, operation, UNRESTRICTED),
        touched: [],
      };
    case "put":
      throw new Error("a put is no read");
  }
}

async function put(
  tx: Queryable,
  { namespace, key, value, ttl_minutes }: StoreOperation & { op: "put" },
  ttl: StoreTtl,
): Promise<void> {
  if (value === null)
    await deleteStoreItem(tx, { namespace, key }, UNRESTRICTED);
  else
    await putStoreItem(
      tx,
      { namespace, key, value, ttl_minutes: lifetime(ttl_minutes, ttl) },
      UNRESTRICTED,
    );
}

const mortal = (rows: readonly StoreRow[]): StoreRow[] =>
  rows.filter(({ ttl_minutes }) => ttl_minutes !== null);

const shown = ({ ttl_minutes: _, ...item }: StoreRow): StoreItem => item;

function requireValid(operation: StoreOperation): void {
  switch (operation.op) {
    case "get":
    case "put":
      return requireAddress(operation);
    case "search":
      return requireNamespace(operation.namespace_prefix, {
        field: "namespace_prefix",
        allowEmpty: true,
      });
    case "listNamespaces":
      requireNamespace(operation.prefix ?? [], {
        field: "prefix",
        allowEmpty: true,
      });
      return requireNamespace(operation.suffix ?? [], {
        field: "suffix",
        allowEmpty: true,
      });
  }
}
