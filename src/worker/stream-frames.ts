import type { StreamMode } from "../model/run.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import { checkpointFrame, debugFrame, taskFrame } from "./debug-frames.ts";
import { LifecycleFrames } from "./lifecycle-frames.ts";
import { MessageFrames } from "./message-frames.ts";
import { runError } from "./run-error.ts";
import type { LibraryMode, StreamChunk } from "./stream-chunk.ts";
import { wireText } from "./wire-json.ts";

/** What LangGraph must stream for the modes that a client asked for. */
export function libraryModes(asked: readonly StreamMode[]): LibraryMode[] {
  const modes = new Set<LibraryMode>();
  for (const mode of asked) {
    if (mode === "messages-tuple") modes.add("messages");
    else if (mode === "lifecycle") modes.add("tasks");
    else if (mode !== "events") modes.add(mode);
    // Complete messages are found in the state.
    if (mode === "messages") modes.add("values");
  }
  return [...modes];
}

/** Makes the frames of a run's stream, of the modes that were asked for and of no other. */
export class StreamFrames {
  readonly #asked: ReadonlySet<StreamMode>;
  readonly #subgraphs: boolean;
  readonly #messages = new MessageFrames();
  readonly #lifecycle = new LifecycleFrames();

  constructor(asked: { modes: readonly StreamMode[]; subgraphs: boolean }) {
    this.#asked = new Set(asked.modes);
    this.#subgraphs = asked.subgraphs;
  }

  /** The frames of one chunk, in their order. */
  *of(chunk: StreamChunk): Generator<ProducedEvent> {
    if (!this.#asked.has("lifecycle")) return yield* this.#ofModes(chunk);
    yield* this.#lifecycle.before(chunk);
    yield* this.#ofModes(chunk);
    yield* this.#lifecycle.after(chunk);
  }

  /** When the graph has ended, or has stopped at an interrupt. */
  ofEnd(): ProducedEvent[] {
    return this.#asked.has("lifecycle") ? this.#lifecycle.atEnd() : [];
  }

  /** When the graph has thrown. */
  ofFailure(cause: unknown, { aborted }: AbortSignal): ProducedEvent[] {
    if (!this.#asked.has("lifecycle")) return [];
    return this.#lifecycle.atEnd(aborted ? null : runError(cause));
  }

  *#ofModes(produced: StreamChunk): Generator<ProducedEvent> {
    const chunk = this.#placed(produced);
    if (chunk === null) return;
    const { mode, payload } = chunk;
    if (mode === "messages") {
      if (this.#asked.has("messages-tuple")) yield frame(chunk, payload);
    } else if (this.#asked.has(mode)) yield frame(chunk, shaped(chunk));
    if (!this.#asked.has("messages")) return;
    for (const [event, data] of this.#messages.of(chunk))
      yield [event, wireText(data)];
  }

  /** Without subgraphs LangGraph streams the root graph alone, and gives it what nodes of the others write. */
  #placed(chunk: StreamChunk): StreamChunk | null {
    if (this.#subgraphs || chunk.namespace.length === 0) return chunk;
    return chunk.mode === "custom" ? { ...chunk, namespace: [] } : null;
  }

  /** An event of LangChain that is not an element of the root graph's stream. */
  *ofEvent(event: object): Generator<ProducedEvent> {
    if (this.#asked.has("events")) yield ["events", wireText(event)];
  }
}

const frame = (
  { namespace, mode }: StreamChunk,
  data: unknown,
): ProducedEvent => [[mode, ...namespace].join("|"), wireText(data)];

function shaped({ mode, payload }: StreamChunk): unknown {
  if (mode === "debug") return debugFrame(payload);
  if (mode === "checkpoints") return checkpointFrame(payload);
  return mode === "tasks" ? taskFrame(payload) : payload;
}
