import type { Caller } from "../auth/caller.ts";
import { notFound } from "../model/errors.ts";
import type { ThreadPatch } from "../model/thread-requests.ts";
import type { Thread, ThreadTtl } from "../model/thread.ts";
import { storageReport, type StorageReport } from "../storage/checkpoints.ts";
import {
  findThread,
  getThread,
  getThreadTtl,
  patchThread,
} from "../storage/threads.ts";
import type { ServiceDeps } from "./deps.ts";

type Deps = Pick<ServiceDeps, "database">;

export const threadNotFound = (threadId: string) =>
  notFound(`Thread with ID ${threadId} not found`);

export interface ThreadWithTtl extends Thread {
  /** Only when it was asked for; null when the thread lives for ever. */
  ttl?: ThreadTtl | null;
}

export async function requireThread(
  { database }: Deps,
  caller: Caller,
  threadId: string,
  { withTtl = false } = {},
): Promise<ThreadWithTtl> {
  const thread = await getThread(database, threadId, caller.access);
  if (thread === null) throw threadNotFound(threadId);
  if (!withTtl) return thread;
  const ttl = await getThreadTtl(database, threadId, caller.access);
  return { ...thread, ttl };
}

export async function updateThread(
  { database }: Deps,
  caller: Caller,
  threadId: string,
  { metadata, ttl }: ThreadPatch,
): Promise<Thread> {
  const thread = await database.transaction((tx) =>
    patchThread(tx, threadId, caller.access, { metadata, ttl: ttl ?? null }),
  );
  if (thread === null) throw notFound("Thread not found");
  return thread;
}

/** What the thread's checkpoints take up. */
export async function getThreadStorage(
  { database }: Deps,
  caller: Caller,
  threadId: string,
): Promise<StorageReport> {
  const thread = await findThread(database, threadId, caller.access);
  if (thread === null) throw threadNotFound(threadId);
  return storageReport(database, threadId);
}
