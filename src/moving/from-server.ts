import { isDeepStrictEqual } from "node:util";
import { isObject, type JsonObject } from "../lib/json.ts";
import { AppError } from "../model/errors.ts";
import { statusOf } from "../model/thread.ts";
import type { StagedUpdate, StateTarget } from "../protocol/state-frames.ts";
import type { Row } from "../storage/table-rows.ts";
import type { Workers } from "../workers/port.ts";
import { Unmovable, type ForeignParts, type ForeignUnit } from "./foreign.ts";
import {
  assistantUnit,
  isMadeByServer,
  itemUnit,
  type ForeignAssistant,
} from "./foreign-units.ts";
import type { ForeignServer } from "./server-client.ts";
import {
  rebuildHistory,
  stateOnly,
  type ForeignState,
  type Superstep,
} from "./supersteps.ts";
import { stateRows, threadRow } from "./threads.ts";

interface Thread {
  thread_id: string;
  created_at: string;
  updated_at: string;
  state_updated_at?: string;
  metadata: JsonObject;
}

interface StoreItem {
  namespace: string[];
  key: string;
  value: JsonObject;
  /** Camel case at the dev server. */
  created_at?: string;
  createdAt?: string;
  updated_at?: string;
  updatedAt?: string;
}

interface Deps {
  server: ForeignServer;
  workers: Pick<Workers, "ask">;
  /** Called with a thread of which only the state could be rebuilt, not its history. */
  onStateOnly: (threadId: string) => void;
  onBranches: (threadId: string, states: number) => void;
}

/**
 * What a server tells over its API: assistants with their versions, threads
 * with the history that leads to their state, store items, crons. Oldest
 * first, so that what is made meanwhile comes at the end and is not missed.
 */
export async function* fromServer(deps: Deps): AsyncGenerator<ForeignUnit> {
  const { server } = deps;
  const oldestFirst = { sort_by: "created_at", sort_order: "asc" };
  const assistants = new Map<string, ForeignAssistant>();
  for await (const assistant of server.search<ForeignAssistant>(
    "/assistants/search",
    oldestFirst,
  )) {
    assistants.set(assistant.assistant_id, assistant);
    if (!isMadeByServer(assistant))
      yield assistantUnit(assistant, () =>
        server.search(`/assistants/${assistant.assistant_id}/versions`, {}),
      );
  }
  for await (const thread of server.search<Thread>(
    "/threads/search",
    oldestFirst,
  ))
    yield threadUnit(deps, thread, assistants);
  for await (const item of server.search<StoreItem>(
    "/store/items/search",
    { namespace_prefix: [] },
    itemsIn,
  ))
    yield itemUnit({
      ...item,
      created_at: item.created_at ?? item.createdAt ?? "",
      updated_at: item.updated_at ?? item.updatedAt ?? "",
    });
  if ((await server.postIfThere("/runs/crons/search", { limit: 1 })) === null)
    return;
  for await (const cron of server.search<Row>(
    "/runs/crons/search",
    oldestFirst,
  ))
    yield cronUnit(cron);
}

const itemsIn = (answer: unknown): StoreItem[] =>
  (answer as { items: StoreItem[] }).items;

function threadUnit(
  deps: Deps,
  thread: Thread,
  assistants: ReadonlyMap<string, ForeignAssistant>,
): ForeignUnit {
  const { thread_id, metadata } = thread;
  return {
    table: "threads",
    head: threadRow(thread),
    compared: ["updated_at"],
    load: async () => {
      if (typeof metadata["graph_id"] !== "string")
        return { rows: [], checkpoints: [] };
      const newest = await newestState(deps.server, thread_id);
      if (newest === null) return { rows: [], checkpoints: [] };
      const assistant = assistants.get(String(metadata["assistant_id"]));
      const target = {
        ...{ thread_id, graph_id: metadata["graph_id"] },
        configurable: configurableOf(assistant),
        context: assistant?.["context"] ?? {},
      };
      return partsOf(thread_id, await rebuilt(deps, target, newest));
    },
  };
}

function configurableOf(assistant: ForeignAssistant | undefined): JsonObject {
  const config = assistant?.["config"];
  const configurable = isObject(config) ? config["configurable"] : null;
  return {
    ...(isObject(configurable) ? (configurable as JsonObject) : {}),
    ...(assistant === undefined
      ? {}
      : { assistant_id: assistant.assistant_id }),
  };
}

function partsOf(
  thread_id: string,
  { snapshot, writes }: StagedUpdate,
): ForeignParts {
  const state = stateRows(thread_id, snapshot);
  return {
    head: { ...state.head, status: statusOf(snapshot) },
    rows: state.pages,
    checkpoints: writes.map((write) => ({ write, run_id: null })),
  };
}

/** The history, if it leads to the same state; else the state alone. */
async function rebuilt(
  { server, workers, onStateOnly, onBranches }: Deps,
  target: StateTarget,
  newest: ForeignState,
): Promise<StagedUpdate> {
  const { thread_id } = target;
  const { candidates, branched } = await rebuildHistory(
    historyOf(server, thread_id),
  );
  if (branched > 0) onBranches(thread_id, branched);
  const stage = (supersteps: Superstep[]) =>
    workers.ask("state.bulkUpdate", { target, supersteps });
  for (const candidate of candidates) {
    const staged = await stage(candidate).catch(refused);
    if (staged !== null && isSameState(staged, newest)) return staged;
  }
  const values = await stage(stateOnly(newest)).catch((cause: unknown) => {
    throw new Unmovable((cause as Error).message, { cause });
  });
  onStateOnly(thread_id);
  return values;
}

/** Null when the graph does not take the supersteps. */
function refused(cause: unknown): null {
  const code = cause instanceof AppError ? cause.code : null;
  if (code === "unavailable") throw cause; // no graph has been asked
  if (code === "not_found")
    throw new Unmovable((cause as Error).message, { cause }); // none of the project's
  return null;
}

const isSameState = (
  { snapshot }: StagedUpdate,
  { values, next }: ForeignState,
): boolean =>
  isDeepStrictEqual(snapshot.values, values) &&
  isDeepStrictEqual([...snapshot.next].sort(), [...next].sort());

/** States of one answer; each has all of the values. */
const STATES = 25;

async function* historyOf(
  server: ForeignServer,
  threadId: string,
): AsyncGenerator<ForeignState> {
  let before: string | null = null;
  for (;;) {
    const states: ForeignState[] = await server.post(
      `/threads/${threadId}/history`,
      {
        limit: STATES,
        ...(before === null ? {} : { before }),
      },
    );
    yield* states;
    before = states.at(-1)?.checkpoint?.checkpoint_id ?? null;
    if (states.length < STATES || before === null) return;
  }
}

async function newestState(
  server: ForeignServer,
  threadId: string,
): Promise<ForeignState | null> {
  const [newest = null] = await server.post<ForeignState[]>(
    `/threads/${threadId}/history`,
    { limit: 1 },
  );
  return newest;
}

const CRON_COLUMNS = [
  ...["cron_id", "assistant_id", "thread_id", "on_run_completed", "schedule"],
  ...["timezone", "end_time", "enabled", "next_run_date", "user_id"],
  ...["metadata", "payload", "created_at", "updated_at"],
];

const cronUnit = (cron: Row): ForeignUnit => ({
  table: "crons",
  head: Object.fromEntries(
    CRON_COLUMNS.filter((name) => cron[name] !== undefined).map((name) => [
      name,
      cron[name],
    ]),
  ),
  compared: ["schedule", "timezone", "enabled", "payload"],
});
