import { isObject } from "../lib/json.ts";
import type { RunError } from "../model/run.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import { runError } from "./run-error.ts";
import type { LibraryMode, StreamChunk } from "./stream-chunk.ts";
import { wireText } from "./wire-json.ts";

/** Modes whose namespace is that of a graph; what a node writes may be told under the task that it runs in. */
const OF_GRAPHS: ReadonlySet<LibraryMode> = new Set<LibraryMode>([
  ...(["values", "updates", "tasks", "checkpoints", "debug"] as const),
]);

type Ending = "completed" | "failed" | "interrupted";

/** The end of a task, as LangGraph streams it. */
interface TaskResult {
  id: string;
  name: string;
  interrupts?: unknown[];
  error?: unknown;
}

/**
 * Mode `lifecycle`: one frame when a subgraph starts and one when it ends. A
 * subgraph starts with the first chunk of its namespace, and ends with the
 * task of its parent that runs it, whose id is in the namespace.
 */
export class LifecycleFrames {
  /** The subgraphs that run, by the text of their namespace, outer ones first. */
  readonly #running = new Map<string, string[]>();
  /** Of tasks that answer a tool call, by task id. */
  readonly #toolCalls = new Map<string, string>();

  before({ namespace, mode, payload }: StreamChunk): ProducedEvent[] {
    if (mode === "tasks") this.#noteToolCall(payload);
    const key = namespace.join("|");
    if (namespace.length === 0 || this.#running.has(key)) return [];
    if (!OF_GRAPHS.has(mode)) return [];
    this.#running.set(key, namespace);
    return [this.#frame("started", namespace)];
  }

  after({ namespace, mode, payload }: StreamChunk): ProducedEvent[] {
    if (mode !== "tasks" || !isTaskResult(payload)) return [];
    const { id, name, interrupts = [], error } = payload;
    const ran = [...namespace, `${name}:${id}`].join("|");
    const isOfTask = (key: string) => key === ran || key.startsWith(`${ran}|`);
    if (error != null) return this.#end(isOfTask, "failed", runError(error));
    return this.#end(
      isOfTask,
      interrupts.length > 0 ? "interrupted" : "completed",
    );
  }

  /** Of what still runs when the graph does not. Null: it was cancelled. */
  atEnd(error?: RunError | null): ProducedEvent[] {
    const all = () => true;
    return error == null
      ? this.#end(all, "interrupted")
      : this.#end(all, "failed", error);
  }

  #end(
    isMeant: (key: string) => boolean,
    ending: Ending,
    error?: RunError,
  ): ProducedEvent[] {
    const ended = [...this.#running].filter(([key]) => isMeant(key)).reverse();
    return ended.map(([key, namespace]) => {
      this.#running.delete(key);
      return this.#frame(ending, namespace, error);
    });
  }

  #frame(
    event: "started" | Ending,
    namespace: string[],
    error?: RunError,
  ): ProducedEvent {
    const tool_call_id = this.#toolCalls.get(taskIdOf(namespace));
    const data = { event, namespace, tool_call_id, error };
    return [["lifecycle", ...namespace].join("|"), wireText(data)];
  }

  #noteToolCall(payload: unknown): void {
    if (!isObject(payload)) return;
    const { id, input } = payload;
    const called = isObject(input) ? input["tool_call"] : undefined;
    if (isObject(called) && typeof called["id"] === "string")
      this.#toolCalls.set(String(id), called["id"]);
  }
}

/** `weather:1ef…` -> `1ef…`; a task that calls a graph more than once numbers it behind that. */
const taskIdOf = (namespace: string[]): string =>
  namespace
    .findLast((part) => part.includes(":"))
    ?.split(":")
    .at(-1) ?? "";

const isTaskResult = (payload: unknown): payload is TaskResult =>
  isObject(payload) && "result" in payload;
