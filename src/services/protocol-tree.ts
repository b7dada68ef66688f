import { z } from "zod";
import type { Caller } from "../auth/caller.ts";
import { optional, uuid } from "../model/fields.ts";
import { ProtocolError } from "../model/protocol-error.ts";
import type { Run } from "../model/run.ts";
import type { RunEvent } from "../model/run-event.ts";
import { getGraphOfRun, getRun, listRuns } from "../storage/runs.ts";
import { findThread } from "../storage/threads.ts";
import { eventsSoFar } from "../stream/follow.ts";
import type { CommandParams, Done, ProtocolDeps } from "./protocol-deps.ts";

/** `agent.getTree`: which graphs a run has, one in the other, and how each stands. */

export interface TreeNode {
  namespace: string[];
  status: string;
  graph_name: string;
  children?: TreeNode[];
  metadata?: object;
}

const getTree = z.object({ run_id: optional(uuid) });

export async function readTree(
  deps: ProtocolDeps,
  caller: Caller,
  threadId: string,
  params: CommandParams,
): Promise<Done> {
  const { run_id } = getTree.parse(params);
  return { result: { tree: await treeOf(deps, caller, threadId, run_id) } };
}

/** Of the newest run of the thread when none is named. */
export async function treeOf(
  deps: ProtocolDeps,
  caller: Caller,
  thread_id: string,
  runId: string | undefined,
): Promise<TreeNode> {
  const run = await findRun(deps, caller, thread_id, runId);
  if (run === null)
    throw new ProtocolError(
      "no_such_run",
      runId === undefined
        ? "Thread has no run; call run.start first."
        : `Run ${runId} not found on this thread.`,
    );
  const { run_id } = run;
  const root: TreeNode = {
    namespace: [],
    status: STATUS[run.status],
    graph_name: (await getGraphOfRun(deps.database, run_id)) ?? "",
    metadata: { run_id },
  };
  const nodes = new Map([["", root]]);
  for await (const event of eventsSoFar(deps, { thread_id, run_id, after: -1 }))
    if (event.event.startsWith("v2.lifecycle")) place(nodes, event);
  return root;
}

/** As long as the run's own events do not say more. */
const STATUS = {
  pending: "started",
  running: "running",
  success: "completed",
  error: "failed",
  timeout: "failed",
  interrupted: "interrupted",
} satisfies Record<Run["status"], string>;

async function findRun(
  { database }: ProtocolDeps,
  { access }: Caller,
  thread_id: string,
  run_id: string | undefined,
): Promise<Run | null> {
  if (run_id !== undefined)
    return getRun(database, { thread_id, run_id }, access);
  if ((await findThread(database, thread_id, access)) === null) return null;
  const page = { thread_id, limit: 1, offset: 0 };
  const { runs } = await listRuns(database, page);
  return runs[0] ?? null;
}

function place(nodes: Map<string, TreeNode>, { event, data }: RunEvent): void {
  const namespace = event.split("|").slice(1);
  const told = (
    JSON.parse(data) as { data: { event: string; graph_name: string } }
  ).data;
  const known = nodes.get(namespace.join("|"));
  if (known !== undefined) {
    known.status = told.event;
    return;
  }
  const node = {
    namespace,
    status: told.event,
    graph_name: told.graph_name,
  };
  nodes.set(namespace.join("|"), node);
  const parent = nodes.get(namespace.slice(0, -1).join("|"));
  if (parent !== undefined) (parent.children ??= []).push(node);
}
