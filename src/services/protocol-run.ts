import { z } from "zod";
import type { Caller } from "../auth/caller.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import {
  jsonObject,
  jsonValue,
  optional,
  uuid,
  withDefault,
} from "../model/fields.ts";
import { invalidArgument, ProtocolError } from "../model/protocol-error.ts";
import { inProtocol } from "../model/protocol-run.ts";
import { MULTITASK_STRATEGIES } from "../model/run.ts";
import { threadRunCreate } from "../model/run-requests.ts";
import type { RunEvent } from "../model/run-event.ts";
import type { Thread } from "../model/thread.ts";
import { listUnfinishedRuns } from "../storage/runs.ts";
import { getThread } from "../storage/threads.ts";
import { eventsSoFar } from "../stream/follow.ts";
import { untilEnded } from "../stream/run-end.ts";
import { createThreadRun } from "./accept-run.ts";
import type { CommandParams, Done } from "./protocol-deps.ts";
import { noSuchCheckpoint } from "./protocol-state.ts";
import type { RunDeps } from "./run-deps.ts";
import { newestSeq } from "./run-stream.ts";

/*
 * The commands of the streaming protocol that start a run. The run is one like
 * any other; it streams all that the protocol has.
 */

export async function startRun(
  deps: RunDeps,
  caller: Caller,
  thread_id: string,
  params: CommandParams,
): Promise<Done> {
  const { assistant_id } = params;
  if (typeof assistant_id !== "string" || assistant_id === "")
    throw invalidArgument("run.start requires an assistant_id.");
  const input = (params["input"] ?? null) as Json;
  const isFork = checkpointOf(params["config"]) !== undefined;
  const thread = await getThread(deps.database, thread_id, caller.access);
  const sent = sentCommand(input);
  const waiting = input === null || isFork ? [] : interruptsOf(thread);
  return createRun(deps, caller, {
    thread_id,
    answers: sent === null || sent["resume"] != null ? waiting : [],
    request: {
      ...common(params),
      assistant_id,
      langsmith_tracer: params["langsmith_tracer"],
      multitask_strategy: strategyOf(params),
      ...(sent !== null
        ? { command: sent }
        : waiting.length > 0
          ? { command: { resume: input } }
          : { input }),
    },
  });
}

/** A `Command` of LangGraph, as its RemoteGraph sends it in the place of an input; null for an input. */
function sentCommand(input: Json): JsonObject | null {
  if (!isObject(input) || input["lg_name"] !== "Command") return null;
  const { resume, update, goto } = input as JsonObject;
  return {
    ...(resume == null ? {} : { resume }),
    ...(update == null ? {} : { update }),
    ...(goto == null ? {} : { goto }),
  };
}

/** Answers to interrupts, all of one checkpoint at once. */
export async function respond(
  deps: RunDeps,
  caller: Caller,
  thread_id: string,
  params: CommandParams,
): Promise<Done> {
  const resume = answersOf(params);
  const isStrict = params["strict_resume"] === true;
  const asked = Object.keys(resume);
  const thread = await askedThread(deps, caller, thread_id, asked);
  const assistant_id = requireAssistantOf(thread);
  // A strict resume is checked by its run, which tells all who watch that it was refused.
  if (!isStrict && thread !== null) requireWaiting(thread, asked);
  const { update, goto } = params;
  const { meta } = await createRun(deps, caller, {
    thread_id,
    answers: asked,
    request: {
      ...common(params),
      assistant_id,
      command: {
        resume,
        ...(update == null ? {} : { update }),
        ...(goto == null ? {} : { goto }),
      },
      strict_resume: isStrict,
    },
  });
  return { result: {}, ...(meta === undefined ? {} : { meta }) };
}

/** A question reaches its reader a little before the run has stopped at it. */
const STOPPING_MS = 10_000;

/** The thread, once the run that has asked one of these questions has stopped. */
async function askedThread(
  deps: RunDeps,
  { access }: Caller,
  thread_id: string,
  ids: readonly string[],
): Promise<Thread | null> {
  const { database } = deps;
  const thread = await getThread(database, thread_id, access);
  if (thread?.status !== "busy") return thread;
  const unfinished = await listUnfinishedRuns(database, thread_id);
  const running = unfinished.find(({ q }) => q === "running");
  if (running === undefined) return getThread(database, thread_id, access);
  const { run_id } = running;
  for await (const event of eventsSoFar(deps, { thread_id, run_id, after: -1 }))
    if (isQuestion(event, ids)) {
      await untilEnded(deps, { run_id }, AbortSignal.timeout(STOPPING_MS));
      return getThread(database, thread_id, access);
    }
  return thread;
}

const isQuestion = (
  { event, data }: RunEvent,
  ids: readonly string[],
): boolean =>
  event.startsWith("v2.input.requested") &&
  ids.some((id) => data.includes(JSON.stringify(id)));

const stateFork = z.object({
  checkpoint_id: uuid,
  input: jsonValue.nullish(),
  config: optional(jsonObject),
});

/** A run from an earlier checkpoint of the thread: a branch of it. */
export async function fork(
  deps: RunDeps,
  caller: Caller,
  thread_id: string,
  params: CommandParams,
): Promise<Done> {
  const { checkpoint_id, input, config } = stateFork.parse(params);
  const thread = await getThread(deps.database, thread_id, caller.access);
  const assistant_id = requireAssistantOf(thread);
  const request = { assistant_id, checkpoint_id, input, config };
  const { result, ...done } = await createRun(deps, caller, {
    ...{ thread_id, answers: [], request },
  });
  return { ...done, result: { ...result, thread_id } };
}

const inputInject = z.object({
  namespace: withDefault(z.array(z.string()), []),
  message: z.looseObject({
    role: z.enum(["user", "system"]),
    content: z.string(),
    name: optional(z.string()),
  }),
});

/**
 * A message that nobody has asked for. It does not reach into a step that goes
 * on: it is the input of a run of its own, behind the one that runs.
 */
export async function inject(
  deps: RunDeps,
  caller: Caller,
  thread_id: string,
  params: CommandParams,
): Promise<Done> {
  const { namespace, message } = inputInject.parse(params);
  if (namespace.length > 0)
    throw new ProtocolError(
      "not_supported",
      "input.inject reaches the root graph only; leave the namespace empty.",
    );
  const thread = await getThread(deps.database, thread_id, caller.access);
  const assistant_id = requireAssistantOf(thread);
  if (interruptsOf(thread).length > 0)
    throw invalidArgument("The thread waits for an answer; use input.respond.");
  const request = { assistant_id, input: { messages: [message as Json] } };
  const done = await createRun(deps, caller, {
    ...{ thread_id, answers: [], request },
  });
  return { ...done, result: {} };
}

/** By which the thread ran last. */
function requireAssistantOf(thread: Thread | null): string {
  const id = thread?.metadata["assistant_id"];
  if (typeof id === "string") return id;
  throw new ProtocolError(
    "no_such_run",
    "Thread has no active assistant; call run.start first.",
  );
}

/** What all ways to start a run have. */
function common(params: CommandParams) {
  const checkpoint_id = checkpointOf(params["config"]);
  return {
    config: params["config"],
    metadata: params["metadata"],
    ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
  };
}

async function createRun(
  deps: RunDeps,
  caller: Caller,
  params: { thread_id: string; answers: string[]; request: CommandParams },
): Promise<Done> {
  const { thread_id, answers } = params;
  const request = threadRunCreate.parse({
    ...params.request,
    if_not_exists: "create",
  });
  const before = await newestSeq(deps, thread_id);
  const run = await createThreadRun(deps, caller, {
    thread_id,
    request: inProtocol(request, { answers }),
    isStreamed: true,
  }).catch(request.checkpoint_id === undefined ? undefined : noSuchCheckpoint);
  const unfinished = await listUnfinishedRuns(deps.database, thread_id);
  const place = unfinished.findIndex(({ run_id }) => run_id === run.run_id);
  // It runs now, or has run already: then its first event tells just that, and what it does comes after.
  const applied_through_seq = place > 0 ? before : before + 1;
  return {
    result: { run_id: run.run_id },
    meta: { thread_id, applied_through_seq },
  };
}

function checkpointOf(config: unknown): string | undefined {
  const configurable = isObject(config) ? config["configurable"] : null;
  const id = isObject(configurable) ? configurable["checkpoint_id"] : null;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** Clients send it under both spellings; what is no strategy counts as none. */
function strategyOf(params: CommandParams): string {
  const asked = [params["multitask_strategy"], params["multitaskStrategy"]];
  return (
    MULTITASK_STRATEGIES.find((known) => asked.includes(known)) ?? "enqueue"
  );
}

/** Ids of what a thread that nothing runs on waits for. */
function interruptsOf(thread: Thread | null): string[] {
  if (thread?.status !== "interrupted") return [];
  return Object.values(thread.interrupts)
    .flat()
    .map(({ id }) => String(id));
}

function answersOf(params: CommandParams): JsonObject {
  const { responses } = params;
  if (responses === undefined)
    return entriesOf([params], "input.respond requires an interrupt_id.");
  if (!Array.isArray(responses) || responses.length === 0)
    throw invalidArgument("input.respond requires at least one response.");
  return entriesOf(
    responses,
    "input.respond responses entries require an interrupt_id.",
  );
}

function entriesOf(given: unknown[], missing: string): JsonObject {
  const entries = given.map((entry) => {
    if (!isObject(entry)) throw invalidArgument(missing);
    const { interrupt_id, response } = entry;
    if (typeof interrupt_id !== "string" || interrupt_id === "")
      throw invalidArgument(missing);
    return [interrupt_id, (response ?? null) as Json] as const;
  });
  return Object.fromEntries(entries);
}

function requireWaiting(thread: Thread, ids: string[]): void {
  if (thread.status === "busy")
    throw invalidArgument(
      "input.respond can only be used while the run is interrupted.",
    );
  const waiting = interruptsOf(thread);
  if (waiting.length === 0)
    throw new ProtocolError(
      "no_such_run",
      "No interrupted run is bound to this thread.",
    );
  const unknown = ids.find((id) => !waiting.includes(id));
  if (unknown !== undefined)
    throw new ProtocolError(
      "no_such_interrupt",
      `Interrupt ${unknown} does not wait for an answer; waiting are ${waiting.join(", ")}.`,
    );
}
