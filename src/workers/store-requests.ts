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
  refreshStoreItem,
  type StoreRow,
} from "../storage/store.ts";
import { putWithVectors, type ItemVectors } from "../storage/store-vectors.ts";
import type { Embedder } from "./embedder.ts";
import { findItems } from "./find-items.ts";

/** Answers the stores of workers. A graph may see every item. */
export function storeRequests(deps: {
  database: Database;
  ttl?: StoreTtl;
  /** Null: the store has no index. */
  embedder?: Embedder | null;
}): RequestServer<StoreRequests> {
  const { database, ttl = NO_STORE_TTL, embedder = null } = deps;
  return {
    "store.batch": async ({ operations }) => {
      operations.forEach(requireValid);
      const steps =
        embedder === null
          ? operations.map((operation) => ({ operation }))
          : await Promise.all(
              operations.map((operation) =>
                prepared({ database, embedder }, operation),
              ),
            );
      return runBatch(database, steps, ttl);
    },
  };
}

/** An operation, and what workers have been asked for it beforehand: no transaction waits for user code. */
interface Step {
  operation: StoreOperation;
  /** Of a put. */
  vectors?: ItemVectors;
  /** What a query finds. */
  found?: StoreRow[];
}

async function prepared(
  deps: { database: Database; embedder: Embedder },
  operation: StoreOperation,
): Promise<Step> {
  if (operation.op === "search" && operation.query !== undefined)
    return { operation, found: await findItems(deps, operation, UNRESTRICTED) };
  if (operation.op !== "put" || operation.value === null) return { operation };
  const { value, index } = operation;
  return { operation, vectors: await deps.embedder.ofItem(value, index) };
}

/**
 * In the order of the operations. From the first put to the last they are one
 * transaction; reads before and after need none, and do not hold up writers.
 */
async function runBatch(
  database: Database,
  steps: readonly Step[],
  ttl: StoreTtl,
): Promise<StoreResult[]> {
  const firstPut = steps.findIndex(isPut);
  if (firstPut === -1) return readAll(database, steps, ttl);
  const end = steps.findLastIndex(isPut) + 1;
  const before = steps.slice(0, firstPut);
  const changes = steps.slice(firstPut, end);
  const after = steps.slice(end);
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

type Put = StoreOperation & { op: "put" };

const isPut = (step: Step): step is Step & { operation: Put } =>
  step.operation.op === "put";

async function runAll(
  tx: Queryable,
  steps: readonly Step[],
  ttl: StoreTtl,
): Promise<StoreResult[]> {
  const results: StoreResult[] = [];
  for (const step of steps) {
    if (isPut(step)) {
      await put(tx, step, ttl);
      results.push(null);
      continue;
    }
    const { result, touched } = await read(tx, step, ttl);
    for (const item of touched) await refreshStoreItem(tx, item);
    results.push(result);
  }
  return results;
}

async function readAll(
  database: Database,
  steps: readonly Step[],
  ttl: StoreTtl,
): Promise<StoreResult[]> {
  const reads = await Promise.all(
    steps.map((step) => read(database, step, ttl)),
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
  { operation, found }: Step,
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
      const rows =
        found ?? (await searchStoreItems(db, operation, UNRESTRICTED));
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
  { operation, vectors }: Step & { operation: Put },
  ttl: StoreTtl,
): Promise<void> {
  const { namespace, key, value, index, ttl_minutes } = operation;
  if (value === null) {
    await deleteStoreItem(tx, { namespace, key }, UNRESTRICTED);
    return;
  }
  const item = {
    ...{ namespace, key, value, index_paths: index },
    ttl_minutes: lifetime(ttl_minutes, ttl),
  };
  await putWithVectors(tx, { item, vectors: vectors ?? null }, UNRESTRICTED);
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
