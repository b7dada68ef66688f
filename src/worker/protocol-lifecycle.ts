import { isObject } from "../lib/json.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import { runError } from "./run-error.ts";
import type { StreamChunk } from "./stream-chunk.ts";
import { wireText } from "./wire-json.ts";

type Ending = "completed" | "failed" | "interrupted";

/** What started a namespace, as the protocol names it. */
type Cause = { type: string };

interface Scope {
  namespace: string[];
  graph_name: string;
}

/**
 * Channel `lifecycle`, but for the root's own, which the server tells: each
 * namespace is announced before its first other event, and ends with the task
 * of its parent that ran it, whose id is in the namespace.
 */
export class ProtocolLifecycle {
  /** Those that run, by the text of their namespace, outer ones first. */
  readonly #running = new Map<string, Scope>();
  readonly #seen = new Set<string>();
  /** The names that agents have given themselves, by namespace. */
  readonly #agents = new Map<string, string>();
  /** Of tasks that answer a tool call, by task id. */
  readonly #toolCalls = new Map<string, string>();
  /** As stream transformers of the graph have told them, by namespace. */
  readonly #causes = new Map<string, Cause>();
  #hasInterrupt = false;

  before({ namespace, mode, payload }: StreamChunk): ProducedEvent[] {
    if (mode === "tasks") this.#noteTask(namespace, payload);
    if (namespace.length === 0 || this.#seen.has(namespace.join("|")))
      return [];
    return namespace.flatMap((_, index) =>
      this.#start(namespace.slice(0, index + 1)),
    );
  }

  after({ namespace, mode, payload }: StreamChunk): ProducedEvent[] {
    if (mode !== "tasks" || !isTaskResult(payload)) return [];
    const { id, name, interrupts = [], error } = payload;
    const ran = [...namespace, `${name}:${id}`].join("|");
    const isOfTask = (key: string) => key === ran || key.startsWith(`${ran}|`);
    if (error != null)
      return this.#end(isOfTask, "failed", runError(error).message);
    return this.#end(
      isOfTask,
      interrupts.length > 0 ? "interrupted" : "completed",
    );
  }

  /** A transformer knows why a namespace will start. */
  noteCause(namespace: string[], cause: Cause): void {
    this.#causes.set(namespace.join("|"), cause);
  }

  /** Somebody is asked: what still runs at the end does not end with it. */
  noteInterrupt(): void {
    this.#hasInterrupt = true;
  }

  /** Of what still runs when the graph does not. */
  atEnd(): ProducedEvent[] {
    return this.#end(
      () => true,
      this.#hasInterrupt ? "interrupted" : "completed",
    );
  }

  atFailure(cause: unknown, { aborted }: AbortSignal): ProducedEvent[] {
    return aborted
      ? this.#end(() => true, "interrupted")
      : this.#end(() => true, "failed", runError(cause).message);
  }

  #start(namespace: string[]): ProducedEvent[] {
    const key = namespace.join("|");
    if (this.#seen.has(key)) return [];
    this.#seen.add(key);
    const segment = namespace.at(-1) ?? "";
    const agent = this.#agents.get(key);
    const graph_name = agent ?? segment.split(":", 1)[0] ?? segment;
    const scope = { namespace, graph_name };
    this.#running.set(key, scope);
    const cause =
      this.#causes.get(key) ??
      (agent === undefined ? undefined : this.#toolCallOf(segment));
    return [frame(scope, { event: "started", graph_name, cause })];
  }

  #end(
    isMeant: (key: string) => boolean,
    event: Ending,
    error?: string,
  ): ProducedEvent[] {
    const ended = [...this.#running].filter(([key]) => isMeant(key)).reverse();
    return ended.map(([key, scope]) => {
      this.#running.delete(key);
      const { graph_name } = scope;
      return frame(scope, { event, graph_name, error });
    });
  }

  #noteTask(namespace: string[], payload: unknown): void {
    if (!isObject(payload)) return;
    const { id, input, metadata } = payload;
    const key = namespace.join("|");
    const agent = isObject(metadata) ? metadata["lc_agent_name"] : undefined;
    if (typeof agent === "string" && agent !== "") this.#agents.set(key, agent);
    const call = toolCallId(input);
    if (call !== null) this.#toolCalls.set(String(id), call);
  }

  #toolCallOf(segment: string): Cause | undefined {
    const colon = segment.indexOf(":");
    const tool_call_id = this.#toolCalls.get(segment.slice(colon + 1));
    return tool_call_id === undefined
      ? undefined
      : ({ type: "toolCall", tool_call_id } as Cause);
  }
}

const frame = ({ namespace }: Scope, data: object): ProducedEvent => [
  ["v2.lifecycle", ...namespace].join("|"),
  wireText({ data }),
];

/** Of a task that answers a tool call: its input is that call with its context, or a list of calls. */
function toolCallId(input: unknown): string | null {
  const calls: unknown[] = Array.isArray(input)
    ? input
    : [isObject(input) ? input["tool_call"] : null];
  for (const call of calls)
    if (isObject(call) && typeof call["id"] === "string") return call["id"];
  return null;
}

/** The end of a task, as LangGraph streams it. */
interface TaskResult {
  id: string;
  name: string;
  interrupts?: unknown[];
  error?: unknown;
}

const isTaskResult = (payload: unknown): payload is TaskResult =>
  isObject(payload) && "result" in payload;
