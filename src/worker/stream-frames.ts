import type { StreamMode } from "../model/run.ts";
import type { ProducedEvent } from "../protocol/run-frames.ts";
import { checkpointFrame, debugFrame, taskFrame } from "./debug-frames.ts";
import { MessageFrames } from "./message-frames.ts";
import type { LibraryMode, StreamChunk } from "./stream-chunk.ts";
import { wireText } from "./wire-json.ts";

/** What LangGraph must stream for the modes that a client asked for. */
export function libraryModes(asked: readonly StreamMode[]): LibraryMode[] {
  const modes = new Set<LibraryMode>();
  for (const mode of asked) {
    if (mode === "messages-tuple") modes.add("messages");
    else if (mode !== "events" && mode !== "lifecycle") modes.add(mode);
    // Complete messages are found in the state.
    if (mode === "messages") modes.add("values");
  }
  return [...modes];
}

/** Makes the frames of a run's stream, of the modes that were asked for and of no other. */
export class StreamFrames {
  readonly #asked: ReadonlySet<StreamMode>;
  readonly #messages = new MessageFrames();

  constructor(asked: readonly StreamMode[]) {
    this.#asked = new Set(asked);
  }

  /** The frames of one chunk, in their order. */
  *of(chunk: StreamChunk): Generator<ProducedEvent> {
    const { mode, payload } = chunk;
    if (mode === "messages") {
      if (this.#asked.has("messages-tuple")) yield frame(chunk, payload);
    } else if (this.#asked.has(mode)) yield frame(chunk, shaped(chunk));
    if (!this.#asked.has("messages")) return;
    for (const [event, data] of this.#messages.of(chunk))
      yield [event, wireText(data)];
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
