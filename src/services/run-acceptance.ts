import type { Caller } from "../auth/caller.ts";
import { uuid7 } from "../lib/uuid.ts";
import type { AccessFilter } from "../model/access.ts";
import type { Assistant } from "../model/assistant.ts";
import type { MultitaskStrategy } from "../model/run.ts";
import type { RunCreate, StatelessRunCreate } from "../model/run-requests.ts";
import {
  asksForStates,
  inProtocol,
  type ProtocolRunCreate,
} from "../model/protocol-run.ts";
import type { ThreadOrigin } from "../storage/run-acceptance.ts";
import { requireAssistant } from "./assistants.ts";
import type { RunDeps } from "./run-deps.ts";
import { requireWebhook } from "./webhooks.ts";

/*
 * What accepting a run needs to know, however it was asked for.
 */

/** A run that somebody has asked for. */
export interface Asked {
  run_id: string;
  thread_id: string;
  origin: ThreadOrigin;
  access: AccessFilter;
  request: RunCreate;
  strategy: MultitaskStrategy;
  /** Its thread goes with it. */
  temporary: boolean;
  headers: NonNullable<Caller["headers"]>;
  isStreamed: boolean;
}

export interface Acceptance extends Asked {
  assistant: Assistant;
}

/** Throws 404 for an unknown assistant. */
export async function acceptanceOf(
  deps: RunDeps,
  caller: Caller,
  asked: Asked,
): Promise<Acceptance> {
  const { assistant_id } = asked.request;
  const assistant = await requireAssistant(deps, caller, assistant_id);
  deps.assistants.remember(caller, assistant_id, assistant);
  return { ...asked, assistant };
}

export interface ThreadRunParams {
  thread_id: string;
  request: ProtocolRunCreate;
  isStreamed?: boolean;
  /** Its client does not wait for it here. */
  isBackground?: boolean;
}

/** What `acceptIn` needs to create a run on a thread. */
export function threadAcceptance(
  deps: RunDeps,
  caller: Caller,
  params: ThreadRunParams,
): Promise<Acceptance> {
  return acceptanceOf(deps, caller, threadRun(deps, caller, params));
}

export function threadRun(
  deps: RunDeps,
  caller: Caller,
  params: ThreadRunParams,
): Asked {
  const { thread_id, isStreamed = false, isBackground = false } = params;
  const isWatched = isBackground && deps.events.isRead(thread_id);
  const request =
    isWatched && asksForStates(params.request)
      ? inProtocol(params.request, { answers: [] })
      : params.request;
  requireWebhook(deps, request.webhook);
  return {
    run_id: uuid7(),
    thread_id,
    origin: request.if_not_exists === "create" ? "either" : "there",
    access: caller.access,
    request,
    strategy: request.multitask_strategy,
    temporary: false,
    headers: caller.headers ?? {},
    isStreamed,
  };
}

export interface StatelessRunParams {
  request: StatelessRunCreate;
  isStreamed?: boolean;
  /** How the names of its fields begin, where it is part of a longer request. */
  place?: string;
}

/** What `acceptIn` needs to create a run on a thread of its own. */
export function statelessAcceptance(
  deps: RunDeps,
  caller: Caller,
  params: StatelessRunParams,
): Promise<Acceptance> {
  return acceptanceOf(deps, caller, statelessRun(deps, caller, params));
}

export function statelessRun(
  deps: RunDeps,
  caller: Caller,
  { request, isStreamed = false, place = "" }: StatelessRunParams,
): Asked {
  requireWebhook(deps, request.webhook, `${place}webhook`);
  return {
    run_id: uuid7(),
    thread_id: uuid7(),
    origin: "new",
    access: caller.access,
    request,
    strategy: "enqueue",
    temporary: request.on_completion === "delete",
    headers: caller.headers ?? {},
    isStreamed,
  };
}
