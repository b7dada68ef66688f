import type { Caller } from "../auth/caller.ts";
import type { JsonObject } from "../lib/json.ts";
import { isUuid, uuid7 } from "../lib/uuid.ts";
import { UNRESTRICTED } from "../model/access.ts";
import { systemAssistantId } from "../model/assistant.ts";
import { nextRunDate, type Cron } from "../model/cron.ts";
import type {
  CronCount,
  CronCreate,
  CronPatch,
  CronSearch,
  PayloadChange,
} from "../model/cron-requests.ts";
import { notFound } from "../model/errors.ts";
import { pageOf, type Page } from "../model/page.ts";
import { lockAssistant } from "../storage/assistants.ts";
import { CHANNELS } from "../storage/channels.ts";
import { readClock } from "../storage/clock.ts";
import {
  countCrons,
  deleteCron,
  getCron,
  insertCron,
  lockCron,
  searchCrons,
  updateCron,
  type CronChange,
  type CronFilter,
  type StoredCron,
} from "../storage/crons.ts";
import { lockThread } from "../storage/threads.ts";
import { requireAssistant } from "./assistants.ts";
import type { RunDeps } from "./run-deps.ts";
import { threadNotFound } from "./threads.ts";
import { requireWebhook } from "./webhooks.ts";

type Deps = Pick<RunDeps, "database">;
type ChangeDeps = Pick<RunDeps, "database" | "webhooks" | "workers">;

/** Throws 404 for an unknown assistant or thread. Without a thread each run gets one of its own. */
export async function createCron(
  deps: ChangeDeps,
  caller: Caller,
  { thread_id, request }: { thread_id: string | null; request: CronCreate },
): Promise<Cron> {
  const { database } = deps;
  const { schedule, enabled, metadata, on_run_completed } = request;
  requireWebhookOf(deps, request.payload);
  const { assistant_id } = await requireAssistant(
    deps,
    caller,
    request.assistant_id,
  );
  const created = await database.transaction(async (tx) => {
    if (
      thread_id !== null &&
      (await lockThread(tx, thread_id, caller.access)) === null
    )
      throw threadNotFound(thread_id);
    if ((await lockAssistant(tx, assistant_id, UNRESTRICTED)) === null)
      throw notFound("Assistant not found");
    const timing = {
      schedule,
      enabled,
      timezone: request.timezone ?? null,
      end_time: request.end_time ?? null,
    };
    return insertCron(tx, uuid7(), {
      ...timing,
      ...{ assistant_id, thread_id, on_run_completed, metadata },
      next_run_date: nextDate(timing, await readClock(tx)),
      user_id: null,
      headers: caller.headers ?? {},
      payload: laidOver({}, request.payload),
    });
  });
  database.notify(CHANNELS.crons, created.cron_id);
  return shown(created);
}

const requireWebhookOf = (deps: ChangeDeps, { webhook }: PayloadChange): void =>
  requireWebhook(deps, typeof webhook === "string" ? webhook : undefined);

type Timing = Pick<
  CronChange,
  "schedule" | "timezone" | "end_time" | "enabled"
>;

const nextDate = ({ end_time, ...timing }: Timing, after: Date): Date | null =>
  nextRunDate({ ...timing, end_time: end_time?.toISOString() ?? null }, after);

/** A member that is null goes, one that is undefined stays as it is. */
function laidOver(payload: JsonObject, change: PayloadChange): JsonObject {
  const given = Object.entries(change).filter(
    ([, value]) => value !== undefined,
  );
  const all = { ...payload, ...Object.fromEntries(given) };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== null),
  ) as JsonObject;
}

/** What it has besides is in columns of its own, and part of what its runs are created with. */
const shown = ({ headers: _headers, ...cron }: StoredCron): Cron => ({
  ...cron,
  payload: {
    ...cron.payload,
    assistant_id: cron.assistant_id,
    metadata: cron.metadata,
  },
});

const cronNotFound = () => notFound("Cron not found");

export async function readCron(
  { database }: Deps,
  { access }: Caller,
  cronId: string,
): Promise<Cron> {
  const cron = await getCron(database, cronId, access);
  if (cron === null) throw cronNotFound();
  return shown(cron);
}

export async function changeCron(
  deps: ChangeDeps,
  { access }: Caller,
  { cron_id, patch }: { cron_id: string; patch: CronPatch },
): Promise<Cron> {
  const { database } = deps;
  requireWebhookOf(deps, patch.payload);
  const changed = await database.transaction(async (tx) => {
    const cron = await lockCron(tx, cron_id, access);
    if (cron === null) throw cronNotFound();
    const timing = timingAfter(cron, patch);
    return updateCron(tx, cron_id, {
      ...timing,
      next_run_date: isSame(timing, timingAfter(cron, {}))
        ? dateOf(cron.next_run_date) // it may be due, and its run not there yet
        : nextDate(timing, await readClock(tx)),
      on_run_completed:
        cron.thread_id === null
          ? (patch.on_run_completed ?? cron.on_run_completed)
          : null,
      metadata: { ...cron.metadata, ...patch.metadata },
      payload: laidOver(cron.payload, patch.payload),
    });
  });
  database.notify(CHANNELS.crons, cron_id);
  return shown(changed);
}

function timingAfter(cron: StoredCron, patch: Partial<CronPatch>): Timing {
  const { schedule, timezone, end_time, enabled } = patch;
  return {
    schedule: schedule ?? cron.schedule,
    enabled: enabled ?? cron.enabled,
    timezone: timezone === undefined ? cron.timezone : timezone,
    end_time: end_time === undefined ? dateOf(cron.end_time) : end_time,
  };
}

const dateOf = (timestamp: string | null): Date | null =>
  timestamp === null ? null : new Date(timestamp);

const isSame = (one: Timing, other: Timing): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** Runs that it has created go on. */
export async function removeCron(
  { database }: Deps,
  { access }: Caller,
  cronId: string,
): Promise<void> {
  const isGone = await database.transaction((tx) =>
    deleteCron(tx, cronId, access),
  );
  if (!isGone) throw cronNotFound();
}

export async function listCrons(
  { database }: Deps,
  { access }: Caller,
  search: CronSearch,
): Promise<Page<Cron>> {
  const filter = { ...search, ...filterOf(search) };
  const [rows, total] = await Promise.all([
    searchCrons(database, filter, access),
    countCrons(database, filter, access),
  ]);
  return pageOf(rows.map(shown), { offset: search.offset, total });
}

export async function countMatchingCrons(
  { database }: Deps,
  { access }: Caller,
  count: CronCount,
): Promise<number> {
  return countCrons(database, filterOf(count), access);
}

/** An assistant may be named by its graph. */
const filterOf = ({
  assistant_id,
  thread_id,
  metadata,
}: CronCount): CronFilter => ({
  thread_id,
  metadata,
  assistant_ids:
    assistant_id === undefined
      ? null
      : [
          systemAssistantId(assistant_id),
          ...(isUuid(assistant_id) ? [assistant_id.toLowerCase()] : []),
        ],
});
