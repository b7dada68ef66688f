import type { Logger } from "../lib/logger.ts";
import type { Database } from "../storage/database.ts";
import {
  replaceStoreVectors,
  type ItemVectors,
} from "../storage/store-vectors.ts";
import {
  countUnindexedItems,
  listUnindexedItems,
  markIndexed,
  type UnindexedItem,
} from "../storage/unindexed-items.ts";
import type { Embedder } from "../workers/embedder.ts";
import { Duty } from "./duty.ts";

/*
 * Items that were put before the index was configured, or by an index that
 * was another, are embedded here: by one instance at a time, a page after the
 * other, while clients go on. Until then a query does not find them.
 */

/** An instance with another configuration may be adding items to be indexed, as one does that is being replaced. */
const EVERY_MS = 10 * 60_000;

/** When what embeds does not answer. */
const RETRY_MS = 60_000;

/** Embedded together, and stored in one transaction. */
const PAGE = 64;

const PROGRESS_MS = 5000;

export interface StoreIndexingDeps {
  database: Database;
  embedder: Embedder;
  log: Logger;
}

export const storeIndexing = (deps: StoreIndexingDeps): Duty =>
  new Duty(deps, {
    name: "store-index",
    everyMs: EVERY_MS,
    work: (signal) => indexAll(deps, signal),
  });

async function indexAll(
  deps: StoreIndexingDeps,
  signal: AbortSignal,
): Promise<number | null> {
  const { database, embedder, log } = deps;
  const total = await countUnindexedItems(database, embedder.indexName);
  if (total === 0) return null;
  log.info({ items: total }, "items of the store are being indexed");
  const stopped = aborted(signal);
  const progress = { indexed: 0, failed: 0 };
  let told = Date.now();
  let after: UnindexedItem | null = null;
  while (!signal.aborted) {
    const items: UnindexedItem[] = await listUnindexedItems(
      database,
      embedder.indexName,
      { after, limit: PAGE },
    );
    if (items.length === 0) break;
    const indexed = await indexPage(deps, items, stopped);
    if (signal.aborted) break;
    progress.indexed += indexed;
    progress.failed += items.length - indexed;
    if (indexed === 0) return RETRY_MS;
    after = items.at(-1) ?? null;
    if (Date.now() - told < PROGRESS_MS) continue;
    told = Date.now();
    log.info(
      { ...progress, items: total },
      "items of the store are being indexed",
    );
  }
  if (!signal.aborted) log.info(progress, "the items of the store are indexed");
  return null;
}

interface Embedded {
  item: UnindexedItem;
  vectors: ItemVectors;
}

/** How many of them; those that cannot be embedded stay as they are, and are tried again in time. */
async function indexPage(
  { database, embedder, log }: StoreIndexingDeps,
  items: readonly UnindexedItem[],
  stopped: Promise<[]>,
): Promise<number> {
  const embedding = Promise.allSettled(
    items.map(async (item) => ({
      item,
      vectors: await embedder.ofItem(item.value, item.index_paths),
    })),
  );
  // Whoever stops does not wait for a model.
  const embedded: PromiseSettledResult<Embedded>[] = await Promise.race([
    embedding,
    stopped,
  ]);
  const failures = embedded.filter((each) => each.status === "rejected");
  if (failures.length > 0)
    log.error(
      { items: failures.length, err: failures[0]?.reason as unknown },
      "items of the store cannot be indexed",
    );
  const done = embedded.filter((each) => each.status === "fulfilled");
  await database.transaction(async (tx) => {
    for (const { value } of done)
      if (await markIndexed(tx, value.item, embedder.indexName))
        await replaceStoreVectors(tx, value.item, value.vectors);
  });
  return done.length;
}

const aborted = (signal: AbortSignal): Promise<[]> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve([]);
    signal.addEventListener("abort", () => resolve([]), { once: true });
  });
