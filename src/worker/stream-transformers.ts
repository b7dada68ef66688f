import * as langgraph from "@langchain/langgraph";
import { isObject } from "../lib/json.ts";
import type { CompiledGraph } from "./graph-exports.ts";
import type { StreamChunk } from "./stream-chunk.ts";

/** What a transformer makes: an event of the streaming protocol. */
export interface MadeEvent {
  method: string;
  namespace: string[];
  data: unknown;
}

/** An event as LangGraph shows it to transformers. */
interface ShownEvent {
  method: string;
  params: { namespace: string[]; data: unknown };
}

interface Transformer {
  init?(): unknown;
  onRegister?(handle: {
    push(namespace: string[], event: ShownEvent): void;
  }): void;
  /** False takes the event out of the stream. */
  process(event: ShownEvent): boolean;
  finalize?(): unknown;
  fail?(cause: unknown): void;
}

interface Channel {
  channelName?: string;
  _wire?(onItem: (item: unknown) => void): void;
  _close?(): void;
  _fail?(cause: unknown): void;
}

const { convertToProtocolEvent } = langgraph as unknown as {
  convertToProtocolEvent?: (
    chunk: StreamChunk & { seq: number },
  ) => ShownEvent[];
};

/**
 * The stream transformers that a graph was compiled with: they see each event,
 * may take it out, and make events of their own: by pushing them, through
 * channels with a name, and as promises of a last value. LangGraph's own loop over them
 * keeps every event of the run in memory, which is why this is not it.
 */
export class StreamTransformers {
  readonly #all: Transformer[];
  readonly #channels: Channel[] = [];
  readonly #lastValues: { name: string; value: Promise<unknown> }[] = [];
  #made: MadeEvent[] = [];
  /** Where the event comes from that is being looked at. */
  #namespace: string[] = [];

  /** Null for a graph that has none. */
  static of(graph: CompiledGraph): StreamTransformers | null {
    const { streamTransformers } = graph as unknown as {
      streamTransformers?: (() => Transformer)[];
    };
    return streamTransformers === undefined ||
      streamTransformers.length === 0 ||
      convertToProtocolEvent === undefined
      ? null
      : new StreamTransformers(streamTransformers);
  }

  constructor(factories: readonly (() => Transformer)[]) {
    this.#all = factories.map((make) => make());
    for (const transformer of this.#all) {
      transformer.onRegister?.({
        push: (namespace, { method, params }) =>
          this.#made.push({ method, namespace, data: params.data }),
      });
      this.#wire(transformer.init?.());
    }
  }

  /** Whether the chunk stays in the stream. */
  see(chunk: StreamChunk): boolean {
    this.#namespace = chunk.namespace;
    let isKept = true;
    for (const event of convertToProtocolEvent?.({ ...chunk, seq: 0 }) ?? [])
      for (const transformer of this.#all)
        if (!transformer.process(event)) isKept = false;
    return isKept;
  }

  /** What they have made since they were asked last. */
  made(): MadeEvent[] {
    const made = this.#made;
    this.#made = [];
    return made;
  }

  async end(): Promise<void> {
    this.#namespace = [];
    await Promise.allSettled(this.#all.map(async (one) => one.finalize?.()));
    for (const channel of this.#channels) channel._close?.();
    for (const { name, value } of this.#lastValues)
      await value.then(
        (payload) => this.#custom(name, payload),
        () => {}, // whoever has made it has failed, and says so elsewhere
      );
  }

  fail(cause: unknown): void {
    for (const transformer of this.#all) transformer.fail?.(cause);
    for (const channel of this.#channels) channel._fail?.(cause);
  }

  #wire(projection: unknown): void {
    if (!isObject(projection)) return;
    for (const [key, value] of Object.entries(projection)) {
      const channel = value as Channel & Partial<Promise<unknown>>;
      if (typeof channel?._wire === "function") {
        this.#channels.push(channel);
        const { channelName } = channel;
        if (typeof channelName === "string")
          channel._wire((item) => this.#custom(channelName, item));
      } else if (typeof channel?.then === "function")
        this.#lastValues.push({ name: key, value: Promise.resolve(value) });
    }
  }

  #custom(name: string, payload: unknown): void {
    const data = { name, payload };
    this.#made.push({ method: "custom", namespace: this.#namespace, data });
  }
}
