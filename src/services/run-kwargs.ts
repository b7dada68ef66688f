import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import type { Assistant } from "../model/assistant.ts";
import type { RunKwargs } from "../model/run.ts";
import type { RunCreate } from "../model/run-requests.ts";

/** Written by authentication alone; a client that sends them gets them dropped. */
const AUTH_KEY = /^langgraph_auth_/;

/** What the graph will be called with: the assistant's settings, with the request's laid over them. */
export function assembleKwargs(params: {
  request: RunCreate;
  assistant: Assistant;
  run_id: string;
  thread_id: string;
  temporary: boolean;
  headers: Readonly<Record<string, string>>;
}): RunKwargs {
  const { request, assistant } = params;
  return {
    input: request.input,
    command: request.command ?? null,
    config: {
      ...assistant.config,
      ...present(request.config),
      configurable: assembleConfigurable(params),
    },
    context: mergedContext(assistant.context, request.context),
    stream_mode: request.stream_mode,
    subgraphs: request.stream_subgraphs,
    resumable: request.stream_resumable,
    interrupt_before: request.interrupt_before ?? null,
    interrupt_after: request.interrupt_after ?? null,
    durability: request.durability,
    strict_resume: request.strict_resume,
    temporary: params.temporary,
    webhook: request.webhook ?? null,
    feedback_keys: request.feedback_keys ?? null,
    protocol: request.protocol ?? null,
  };
}

function assembleConfigurable(params: {
  request: RunCreate;
  assistant: Assistant;
  run_id: string;
  thread_id: string;
  headers: Readonly<Record<string, string>>;
}): JsonObject {
  const { request, assistant, run_id, thread_id, headers } = params;
  const given = {
    ...configurableOf(assistant.config),
    ...configurableOf(request.config),
    // A proxy says who the user is; what the body says does not replace it.
    ...headers,
  };
  const kept = Object.entries(given).filter(([key]) => !AUTH_KEY.test(key));
  return {
    ...Object.fromEntries(kept),
    ...checkpointOf(request),
    ...tracerOf(request),
    run_id,
    thread_id,
    graph_id: assistant.graph_id,
    assistant_id: assistant.assistant_id,
  };
}

/** By the names that LangGraph's servers give them. */
const tracerOf = ({ langsmith_tracer: tracer }: RunCreate): JsonObject => ({
  ...(tracer?.project_name == null
    ? {}
    : { langsmith_project: tracer.project_name }),
  ...(tracer?.example_id == null
    ? {}
    : { langsmith_example_id: tracer.example_id }),
});

/** Null says the same as leaving a setting out: the assistant's stands. */
const present = (config: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== null),
  );

const configurableOf = (config: JsonObject): JsonObject =>
  isObject(config["configurable"])
    ? (config["configurable"] as JsonObject)
    : {};

/** The checkpoint to start from, where the request names one. */
function checkpointOf({ checkpoint, checkpoint_id }: RunCreate): JsonObject {
  const id = checkpoint?.checkpoint_id ?? checkpoint_id;
  const { checkpoint_ns, checkpoint_map } = checkpoint ?? {};
  return {
    ...(id === undefined ? {} : { checkpoint_id: id }),
    ...(checkpoint_ns === undefined ? {} : { checkpoint_ns }),
    ...(checkpoint_map === undefined ? {} : { checkpoint_map }),
  };
}

/** Key by key; a context of the assistant that is no object stands as it is. */
function mergedContext(assistant: Json, request: Json): Json {
  if (!isObject(assistant)) return assistant ?? request;
  if (request === null) return assistant as Json;
  return isObject(request) ? ({ ...assistant, ...request } as Json) : request;
}
