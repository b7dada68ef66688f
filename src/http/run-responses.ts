import type { Context, TypedResponse } from "hono";
import type { Caller } from "../auth/caller.ts";
import type { JsonObject } from "../lib/json.ts";
import type { Logger } from "../lib/logger.ts";
import { isWanted } from "../model/run-event.ts";
import type { EventFilter, RunEvent } from "../model/run-event.ts";
import type { Run } from "../model/run.ts";
import { cancelRun } from "../services/cancel-run.ts";
import type { RunDeps } from "../services/run-deps.ts";
import { streamRun } from "../services/run-stream.ts";
import { waitForRun } from "../services/runs.ts";
import { MessageChunks } from "../stream/message-chunks.ts";
import { runFrame, waitStream } from "../stream/sse.ts";
import type { AppEnv } from "./deps.ts";
import { eventStreamResponse } from "./event-stream.ts";

/** What a client that goes away leaves behind. */
export type OnDisconnect = "cancel" | "continue";

/** Where clients read the run's id from: nothing may follow it. */
export const runPath = ({ thread_id, run_id }: RunAddress): string =>
  `/threads/${thread_id}/runs/${run_id}`;

/** The thread of a stateless run is hidden here; `Location` names it, for those who reconnect. */
export const statelessRunPath = ({ run_id }: Pick<Run, "run_id">): string =>
  `/runs/${run_id}`;

type RunAddress = Pick<Run, "thread_id" | "run_id">;

/** Where clients whose connection broke come back to. */
export const setLocation = (
  c: Context,
  run: RunAddress,
  way: "stream" | "join",
): void => {
  // A client that comes back does not always repeat what it has asked for.
  const query = way === "stream" ? new URL(c.req.url).search : "";
  c.header("Location", `${runPath(run)}/${way}${query}`);
};

interface StreamParams extends EventFilter {
  /** Events with a greater seq; null for live ones only. */
  after: number | null;
  /** It was accepted by this request. */
  isNew?: boolean;
  onDisconnect: OnDisconnect;
}

export function streamResponse(
  c: Context<AppEnv>,
  deps: RunDeps,
  run: Run,
  params: StreamParams,
): Response {
  const gone = new AbortController();
  const caller = c.get("caller");
  const events = streamRun(deps, caller, run, {
    after: params.after,
    isNew: params.isNew ?? false,
    signal: gone.signal,
  });
  const onClose = (isComplete: boolean) => {
    gone.abort();
    if (!isComplete) onGone(deps, caller, run, params.onDisconnect);
  };
  return eventStreamResponse(c, filtered(events, params), runFrame, onClose);
}

/** A response whose JSON is still to come. */
type Promised = Response & TypedResponse<JsonObject, 200, "json">;

/** The result of the run as JSON, with new lines before it as long as it takes. */
export function waitResponse(
  c: Context<AppEnv>,
  deps: RunDeps,
  run: Run & { isNew?: boolean },
  onDisconnect: OnDisconnect,
): Promised {
  const gone = new AbortController();
  const result = waitForRun(deps, run, gone.signal);
  const body = waitStream(result, (isComplete) => {
    gone.abort();
    if (!isComplete) onGone(deps, c.get("caller"), run, onDisconnect);
  });
  c.header("Content-Type", "application/json");
  return c.body(body) as unknown as Promised;
}

async function* filtered(
  events: AsyncGenerator<RunEvent>,
  filter: EventFilter,
): AsyncGenerator<RunEvent> {
  const chunks = new MessageChunks();
  for await (const event of events) {
    const shown = chunks.of(event);
    if (shown !== null && isWanted(shown.event, filter)) yield shown;
  }
}

function onGone(
  deps: RunDeps,
  caller: Caller,
  { thread_id, run_id }: Run,
  onDisconnect: OnDisconnect,
): void {
  if (onDisconnect === "continue") return;
  void cancelRun(deps, caller, {
    thread_id,
    run_id,
    action: "interrupt",
    wait: false,
    reason: "the client disconnected",
    signal: AbortSignal.abort(),
  }).catch((error: unknown) => logUnlessEnded(deps.log, error, run_id));
}

function logUnlessEnded(log: Logger, error: unknown, run_id: string): void {
  const { code } = error as { code?: string };
  if (code !== "conflict" && code !== "not_found")
    log.error(
      { err: error, run_id },
      "a run could not be cancelled after its client left",
    );
}
