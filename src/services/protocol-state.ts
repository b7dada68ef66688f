import { z } from "zod";
import type { Caller } from "../auth/caller.ts";
import { isObject } from "../lib/json.ts";
import { AppError } from "../model/errors.ts";
import { optional, uuid, withDefault } from "../model/fields.ts";
import { ProtocolError } from "../model/protocol-error.ts";
import type { CheckpointRef, ThreadState } from "../model/thread-state.ts";
import { findThread } from "../storage/threads.ts";
import type { CommandParams, Done, ProtocolDeps } from "./protocol-deps.ts";
import { getHistory } from "./state-history.ts";
import { getState } from "./state.ts";

/** The commands of the streaming protocol that read states. */

const namespace = withDefault(z.array(z.string()), []);

const stateGet = z.object({
  namespace,
  keys: optional(z.array(z.string())),
});

export async function readProtocolState(
  deps: ProtocolDeps,
  caller: Caller,
  thread_id: string,
  params: CommandParams,
): Promise<Done> {
  const asked = stateGet.parse(params);
  await requireState(deps, caller, thread_id);
  const state = await getState(deps, caller, {
    thread_id,
    ...at(asked.namespace),
    subgraphs: false,
  });
  if (state.checkpoint === null) requireRoot(asked.namespace);
  const { values } = state;
  const shown = isObject(values) ? values : {};
  return {
    result: {
      values:
        asked.keys === undefined
          ? shown
          : Object.fromEntries(
              Object.entries(shown).filter(([key]) =>
                asked.keys?.includes(key),
              ),
            ),
      ...checkpointOf(state.checkpoint),
    },
  };
}

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 1000;

const listCheckpoints = z.object({
  namespace,
  limit: withDefault(z.int().min(1).max(MAX_LIMIT), DEFAULT_LIMIT),
  before: optional(uuid),
});

/** Newest first. */
export async function listProtocolCheckpoints(
  deps: ProtocolDeps,
  caller: Caller,
  thread_id: string,
  params: CommandParams,
): Promise<Done> {
  const asked = listCheckpoints.parse(params);
  await requireState(deps, caller, thread_id);
  const states = await getHistory(deps, caller, {
    thread_id,
    limit: asked.limit + 1, // what was to run next is the node of the one after
    before: asked.before,
    ...at(asked.namespace),
  });
  if (states.length === 0 && asked.before === undefined)
    requireRoot(asked.namespace);
  const checkpoints = states
    .slice(0, asked.limit)
    .map((state, index) => summaryOf(state, states[index + 1]));
  return { result: { checkpoints } };
}

function summaryOf(state: ThreadState, before: ThreadState | undefined) {
  const { checkpoint, created_at, metadata } = state;
  const nodes = new Set(before?.next);
  const [node_name] = nodes;
  return {
    id: checkpoint?.checkpoint_id ?? "",
    timestamp: created_at ?? "",
    step: typeof metadata?.["step"] === "number" ? metadata["step"] : 0,
    ...(nodes.size === 1 ? { node_name } : {}),
    ...(metadata === null ? {} : { metadata }),
  };
}

const at = (path: string[]) =>
  path.length === 0 ? {} : { checkpoint: { checkpoint_ns: path.join("|") } };

const checkpointOf = (ref: CheckpointRef | null) =>
  ref?.checkpoint_id === undefined
    ? {}
    : {
        checkpoint: {
          id: ref.checkpoint_id,
          ...(ref.checkpoint_ns ? { ns: ref.checkpoint_ns } : {}),
        },
      };

async function requireState(
  { database }: ProtocolDeps,
  { access }: Caller,
  threadId: string,
): Promise<void> {
  if ((await findThread(database, threadId, access)) === null)
    throw new ProtocolError(
      "no_such_run",
      "Thread has no state yet; call run.start first.",
    );
}

function requireRoot(path: string[]): void {
  if (path.length > 0)
    throw new ProtocolError(
      "no_such_namespace",
      `There is no state in namespace ${JSON.stringify(path)}.`,
    );
}

/** A checkpoint that is not there has a code of its own. */
export function noSuchCheckpoint(cause: unknown): never {
  if (cause instanceof AppError && cause.message.startsWith("Checkpoint "))
    throw new ProtocolError("no_such_checkpoint", cause.message);
  throw cause;
}
