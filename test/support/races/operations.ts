import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { storeEnd } from "../../../src/engine/finish-run.ts";
import { promoteDueRuns, reapExpired } from "../../../src/engine/recovery.ts";
import { AppError } from "../../../src/model/errors.ts";
import type { CancelAction } from "../../../src/model/run.ts";
import { runBatch, threadRunCreate } from "../../../src/model/run-requests.ts";
import { threadStateUpdate } from "../../../src/model/thread-state-requests.ts";
import type { StagedUpdate } from "../../../src/protocol/state-frames.ts";
import {
  createRunBatch,
  createThreadRun,
} from "../../../src/services/accept-run.ts";
import { cancelRun } from "../../../src/services/cancel-run.ts";
import { cancelRuns } from "../../../src/services/cancel-runs.ts";
import { removeRun } from "../../../src/services/remove-run.ts";
import type { RunDeps } from "../../../src/services/run-deps.ts";
import { updateState } from "../../../src/services/state-update.ts";
import { copyThread } from "../../../src/services/thread-copy.ts";
import { createThread } from "../../../src/services/thread-create.ts";
import {
  deleteThread,
  pruneThreads,
} from "../../../src/services/thread-delete.ts";
import { updateThread } from "../../../src/services/threads.ts";
import { LeaseLostError } from "../../../src/storage/checkpoints.ts";
import type { Database } from "../../../src/storage/database.ts";
import { insertSegment } from "../../../src/storage/event-segments.ts";
import { insertInstance } from "../../../src/storage/instances.ts";
import { extendLease } from "../../../src/storage/queue-news.ts";
import { claimRuns, handBackRun } from "../../../src/storage/run-queue.ts";
import type { Workers } from "../../../src/workers/port.ts";
import {
  checkpointRequests,
  storeRunWrites,
} from "../../../src/workers/checkpoint-requests.ts";
import { checkpoint, WORLDS, type World, type WorldName } from "./worlds.ts";

/*
 * Everything that the engine and the services do with a thread and its runs,
 * each as it is called by the program. The answer is what its caller is told.
 */

export interface Stage {
  world: World;
  /** Where the operation is done: the world's database, or something in front of it. */
  database: Database;
  /** What the operation makes is called after it. */
  label: string;
}

export interface Operation {
  name: string;
  /** Absent: it makes sense anywhere. */
  worlds?: readonly WorldName[];
  /** It is several transactions where a run goes on, and others may be told of what is between them. */
  hasSteps?: boolean;
  /** When its answer is lost it is done again: `passing` is the answer then. */
  repeats?: boolean;
  /** Present: it passes over what somebody holds at the moment, and comes again; this is its answer then. */
  passing?: string;
  perform(stage: Stage): Promise<unknown>;
}

const NOTHING = "nothing";

/** The answer of an operation; the code of what its caller is refused with. Anything else that is thrown is a defect. */
export async function answerOf(
  operation: Operation,
  stage: Stage,
): Promise<string> {
  try {
    const answer = await operation.perform(stage);
    if (answer === "lost") return answer;
    return JSON.stringify(answer) ?? NOTHING;
  } catch (cause) {
    if (cause instanceof LeaseLostError) return "lost";
    if (cause instanceof AppError && REFUSALS.has(cause.code))
      return cause.code;
    throw cause;
  }
}

const REFUSALS = new Set(["conflict", "not_found"]);

const NEW_THREAD = "00000000-0000-7000-8000-00000000aaaa";

function depsOf({ world, database, label }: Stage): RunDeps {
  const { deps } = world.queue;
  return { ...deps, database, workers: staging(deps, world.thread, label) };
}

/** A worker that is asked for an update of the state, or for the state. */
function staging(deps: RunDeps, thread: string, label: string): Workers {
  const snapshot = { values: { by: label }, next: [], interrupts: {} };
  const writes = [checkpoint(thread, `3 ${label}`)];
  const at = { thread_id: thread, checkpoint_ns: "", checkpoint_id: "3" };
  const staged: StagedUpdate = { writes, snapshot, checkpoint: at };
  return {
    ask: (method) =>
      Promise.resolve((method === "state.update" ? staged : snapshot) as never),
    graphs: () => deps.workers.graphs(),
  };
}

async function enqueue(
  stage: Stage,
  request: Record<string, unknown>,
  thread_id = stage.world.thread,
): Promise<string> {
  await createThreadRun(depsOf(stage), ANONYMOUS, {
    thread_id,
    request: threadRunCreate.parse({
      assistant_id: "agent",
      webhook: "http://example.com/",
      metadata: { label: stage.label },
      ...request,
    }),
  });
  return "accepted";
}

const enqueueAs = (strategy: string): Operation => ({
  name: `enqueue (${strategy})`,
  perform: (stage) => enqueue(stage, { multitask_strategy: strategy }),
});

const claimAs = (who: "alive" | "expired"): Operation => ({
  name: `claim by ${who}`,
  passing: "[]",
  repeats: true,
  async perform({ world, database }) {
    const owner = world[who];
    const claimed = await claimRuns(database, { owner, limit: 10 });
    return claimed.map(({ attempt }) => attempt);
  },
});

/** The event log gives each number once. */
const segment = ({ world, label }: Stage) => ({
  ...world.held,
  first_seq: 100 + 100 * (Number(label.at(-1)) || 0),
  events: [["values", "{}"] as [string, string]],
});

const cancelOf = (run: "R1" | "R2", action: CancelAction): Operation => ({
  name: `cancel ${run} (${action})`,
  perform: (stage) =>
    cancelRun(depsOf(stage), ANONYMOUS, {
      thread_id: stage.world.thread,
      run_id: stage.world.runs[run],
      action,
      wait: false,
      reason: null,
      signal: AbortSignal.abort(),
    }),
});

const STARTED: WorldName[] = [
  "handed back",
  "running",
  "alone",
  "doomed",
  "reclaimed",
];

const finishAs = (status: "success" | "error"): Operation => ({
  name: `finish (${status})`,
  worlds: STARTED,
  async perform(stage) {
    const recorded = await storeEnd(stage.database, {
      run: stage.world.held,
      end: {
        status,
        error: status === "error" ? { error: "E", message: "m" } : null,
        snapshot: { values: { by: "R1" }, next: [], interrupts: {} },
      },
      segment: segment(stage),
      writes: [checkpoint(stage.world.thread, "2 at the end")],
    });
    // Whom it wakes is for speed only.
    return recorded === "lost" ? recorded : { isGone: recorded.isGone };
  },
});

export const OPERATIONS: readonly Operation[] = [
  ...["enqueue", "reject", "interrupt", "rollback"].map(enqueueAs),
  {
    name: "enqueue with a delay",
    perform: (stage) => enqueue(stage, { after_seconds: 3600 }),
  },
  {
    name: "enqueue on a thread that is made",
    worlds: ["at rest"],
    perform: (stage) => enqueue(stage, { if_not_exists: "create" }, NEW_THREAD),
  },
  {
    name: "accept a batch",
    worlds: ["at rest"],
    async perform(stage) {
      const items = [1, 2].map((n) => ({
        ...{ assistantId: "agent", assistant_id: "agent" },
        metadata: { label: `${stage.label} ${n}` },
      }));
      const requests = runBatch.parse(items);
      return (await createRunBatch(depsOf(stage), ANONYMOUS, requests)).length;
    },
  },
  claimAs("alive"),
  claimAs("expired"),
  {
    name: "put a checkpoint",
    worlds: STARTED,
    perform: ({ world, database, label }) =>
      database.transaction((tx) =>
        storeRunWrites(tx, world.held, [
          checkpoint(world.thread, `2 ${label}`),
        ]),
      ),
  },
  {
    name: "put checkpoints",
    worlds: STARTED,
    perform: ({ world, database, label }) =>
      checkpointRequests({ database })["checkpoint.write"]({
        fence: world.held,
        writes: [
          checkpoint(world.thread, `2 ${label}`),
          // Its value came with the checkpoint before it, which the thread has lost when it was pruned.
          { ...checkpoint(world.thread, "2"), values: [] },
          {
            kind: "writes",
            thread_id: world.thread,
            checkpoint_ns: "",
            checkpoint_id: `2 ${label}`,
            writes: ["a", "b"].map((channel, idx) => ({
              task_id: label,
              task_path: "",
              ...{ channel, idx },
              type: "json",
              data: Buffer.from("1"),
            })),
          },
        ],
        durable: false,
      }),
  },
  {
    name: "put writes",
    worlds: STARTED,
    perform: ({ world, database, label }) =>
      database.transaction((tx) =>
        storeRunWrites(tx, world.held, [
          {
            kind: "writes",
            thread_id: world.thread,
            checkpoint_ns: "",
            checkpoint_id: "1",
            writes: [
              {
                task_id: label,
                idx: -3,
                task_path: "",
                channel: "__interrupt__",
                type: "json",
                data: Buffer.from("1"),
              },
            ],
          },
        ]),
      ),
  },
  {
    name: "append events",
    worlds: STARTED,
    perform: (stage) =>
      stage.database.transaction((tx) => insertSegment(tx, segment(stage))),
  },
  finishAs("success"),
  finishAs("error"),
  {
    name: "hand back",
    worlds: STARTED,
    perform: ({ world, database }) =>
      database.transaction((tx) => handBackRun(tx, world.held, { deaths: 1 })),
  },
  cancelOf("R1", "interrupt"),
  cancelOf("R1", "rollback"),
  cancelOf("R2", "interrupt"),
  cancelOf("R2", "rollback"),
  {
    name: "cancel all",
    perform: (stage) =>
      cancelRuns(depsOf(stage), ANONYMOUS, {
        action: "interrupt",
        request: { status: "all" },
      }),
  },
  {
    name: "delete a run",
    perform: (stage) =>
      removeRun(depsOf(stage), ANONYMOUS, {
        thread_id: stage.world.thread,
        run_id: stage.world.runs.R0,
      }),
  },
  {
    name: "delete the thread",
    hasSteps: true,
    perform: (stage) =>
      deleteThread(depsOf(stage), ANONYMOUS, stage.world.thread),
  },
  {
    name: "prune the thread",
    worlds: ["at rest", "running"],
    perform: (stage) =>
      pruneThreads(depsOf(stage), ANONYMOUS, {
        thread_ids: [stage.world.thread],
        strategy: "keep_latest",
      }),
  },
  {
    name: "make a thread",
    worlds: ["at rest"],
    perform: async (stage) => {
      await createThread(depsOf(stage), ANONYMOUS, {
        thread_id: NEW_THREAD,
        metadata: {},
        if_exists: "raise",
        supersteps: [],
      });
      return "made";
    },
  },
  {
    name: "change metadata",
    async perform(stage) {
      const metadata = { [stage.label]: true };
      const { thread } = stage.world;
      await updateThread(depsOf(stage), ANONYMOUS, thread, { metadata });
    },
  },
  {
    name: "copy the thread",
    worlds: ["at rest", "running"],
    async perform(stage) {
      await copyThread(depsOf(stage), ANONYMOUS, stage.world.thread);
    },
  },
  {
    name: "update the state",
    worlds: ["at rest", "ready"],
    async perform(stage) {
      const request = threadStateUpdate.parse({ values: { a: 1 } });
      await updateState(depsOf(stage), ANONYMOUS, stage.world.thread, request);
    },
  },
  {
    name: "heartbeat of expired",
    async perform({ world, database }) {
      const lease = { instance_id: world.expired, leaseMs: 86_400_000 };
      return (await extendLease(database, lease)) !== null;
    },
  },
  {
    name: "start an instance",
    worlds: ["at rest"],
    perform: ({ database, label }) =>
      database.transaction((tx) =>
        insertInstance(tx, {
          instance_id: label,
          leaseMs: 86_400_000,
          info: {},
        }),
      ),
  },
  {
    name: "reap",
    passing: NOTHING,
    perform: ({ world, database }) =>
      reapExpired({ database, log: world.queue.deps.log }),
  },
  {
    name: "promote",
    passing: NOTHING,
    perform: ({ database }) => promoteDueRuns(database),
  },
];

export const operationsIn = (world: WorldName): Operation[] =>
  OPERATIONS.filter(({ worlds }) => worlds?.includes(world) ?? true);

/** An operation in a world, a statement of which fails in one way. */
export interface Failing<Way> {
  world: WorldName;
  operation: Operation;
  way: Way;
}

/** Each operation in each world, once for each way in which its statements may fail. */
export const failing = <Way>(ways: readonly Way[]): Failing<Way>[] =>
  WORLDS.flatMap((world) =>
    operationsIn(world).flatMap((operation) =>
      ways.map((way) => ({ world, operation, way })),
    ),
  );
