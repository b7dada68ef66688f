import { isObject } from "../lib/json.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { BlockEvent, MessageBlocks } from "./message-blocks.ts";
import { ProtocolLifecycle } from "./protocol-lifecycle.ts";
import type { StreamChunk } from "./stream-chunk.ts";
import type { StreamFrames } from "./stream-frames.ts";
import type { MadeEvent, StreamTransformers } from "./stream-transformers.ts";
import { wireText } from "./wire-json.ts";

/**
 * The frames of a run as `StreamFrames` makes them, with what the streaming
 * protocol has beside them: lifecycles of namespaces, questions, content blocks
 * of messages, and where checkpoints stand. A client of the run streams sees
 * nothing of these; a run that was not started by the protocol has few of them.
 */
export class ProtocolFrames {
  readonly #frames: StreamFrames;
  readonly #lifecycle = new ProtocolLifecycle();
  readonly #transformers: StreamTransformers | null;
  readonly #blocks: MessageBlocks | null;
  readonly #asked = new Set<string>();

  constructor(parts: {
    frames: StreamFrames;
    transformers: StreamTransformers | null;
    /** For a run whose messages LangGraph streams in chunks. */
    blocks: MessageBlocks | null;
  }) {
    this.#frames = parts.frames;
    this.#transformers = parts.transformers;
    this.#blocks = parts.blocks;
  }

  *of(chunk: StreamChunk): Generator<ProducedEvent> {
    const isKept = this.#transformers?.see(chunk) ?? true;
    const made = this.#transformers?.made() ?? [];
    for (const event of made) this.#noteCause(event);
    yield* this.#lifecycle.before(chunk);
    if (isKept) yield* this.#ofChunk(chunk);
    for (const event of this.#blocks?.of(chunk) ?? [])
      yield* this.#inBlocks(event);
    yield* made.flatMap(madeFrame);
    yield* this.#questions(chunk);
    yield* this.#lifecycle.after(chunk);
  }

  *#ofChunk(chunk: StreamChunk): Generator<ProducedEvent> {
    if (isContentEvent(chunk)) yield messageFrame(chunk);
    else if (isCheckpointEnvelope(chunk))
      yield frame("checkpoints", chunk.namespace, { data: chunk.payload });
    else yield* this.#frames.of(chunk);
  }

  /** The namespace of a message is that of its task, whether or not those of subgraphs are streamed. */
  *#inBlocks({ namespace, node, data }: BlockEvent): Generator<ProducedEvent> {
    const chunk = { namespace, mode: "messages", payload: data } as const;
    yield* this.#lifecycle.before(chunk);
    yield frame("messages.beside", namespace, { node, data });
  }

  /** A transformer may know why a namespace starts. */
  #noteCause({ method, namespace, data }: MadeEvent): void {
    if (method !== "lifecycle" || !isObject(data)) return;
    const { cause } = data;
    if (isObject(cause) && typeof cause["type"] === "string")
      this.#lifecycle.noteCause(namespace, cause as { type: string });
  }

  ofEvent(event: object): Generator<ProducedEvent> {
    return this.#frames.ofEvent(event);
  }

  async *ofEnd(): AsyncGenerator<ProducedEvent> {
    yield* this.#frames.ofEnd();
    yield* this.#lastBlocks();
    await this.#transformers?.end();
    yield* (this.#transformers?.made() ?? []).flatMap(madeFrame);
    yield* this.#lifecycle.atEnd();
  }

  *ofFailure(cause: unknown, signal: AbortSignal): Generator<ProducedEvent> {
    yield* this.#frames.ofFailure(cause, signal);
    yield* this.#lastBlocks();
    this.#transformers?.fail(cause);
    yield* this.#lifecycle.atFailure(cause, signal);
  }

  *#lastBlocks(): Generator<ProducedEvent> {
    for (const event of this.#blocks?.ofEnd() ?? [])
      yield* this.#inBlocks(event);
  }

  /** Each is told once, though the state and the updates both show it. */
  *#questions({ namespace, mode, payload }: StreamChunk) {
    if (mode !== "values" && mode !== "updates") return;
    if (!isObject(payload) || !Array.isArray(payload["__interrupt__"])) return;
    for (const interrupt of payload["__interrupt__"] as unknown[]) {
      if (!isObject(interrupt) || typeof interrupt["id"] !== "string") continue;
      const { id: interrupt_id, value } = interrupt;
      if (this.#asked.has(interrupt_id as string)) continue;
      this.#asked.add(interrupt_id as string);
      this.#lifecycle.noteInterrupt();
      // One client reads the question here, another there.
      const data = { interrupt_id, payload: value, value };
      yield frame("input.requested", namespace, { data });
    }
  }
}

/** Lifecycles are told by their own rule, with what a transformer knows of them. */
const madeFrame = ({ method, namespace, data }: MadeEvent): ProducedEvent[] =>
  method === "lifecycle" ? [] : [frame(method, namespace, { data })];

const frame = (
  method: string,
  namespace: string[],
  params: object,
): ProducedEvent => [
  [`v2.${method}`, ...namespace].join("|"),
  wireText(params),
];

type ContentEvent = { event: string };

/** In a run of the protocol LangGraph streams messages as events of content blocks, with what it knows of their origin. */
const isContentEvent = ({ mode, payload }: StreamChunk): boolean =>
  mode === "messages" &&
  Array.isArray(payload) &&
  isObject(payload[0]) &&
  typeof payload[0]["event"] === "string";

function messageFrame({ namespace, payload }: StreamChunk): ProducedEvent {
  const [event, origin] = payload as [
    ContentEvent,
    { langgraph_node?: string; run_id?: string } | undefined,
  ];
  const { langgraph_node: node, run_id } = origin ?? {};
  const data = {
    ...event,
    ...(event.event === "message-start" ? { role: "ai", ...event } : {}),
    ...(run_id === undefined ? {} : { run_id }),
  };
  return frame("messages", namespace, { node, data });
}

/** LangGraph's own pointer to a checkpoint; mode `checkpoints` has the whole state beside it. */
const isCheckpointEnvelope = ({ mode, payload }: StreamChunk): boolean =>
  mode === "checkpoints" &&
  isObject(payload) &&
  typeof payload["id"] === "string" &&
  !("values" in payload) &&
  !("config" in payload);
