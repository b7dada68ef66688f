import type { RunEvent } from "../model/run-event.ts";
import type { ProtocolEvent } from "./protocol-events.ts";

const ENCODER = new TextEncoder();

/** A comment: clients ignore it, proxies and their time-outs do not. */
const HEARTBEAT = ENCODER.encode(": heartbeat\r\n\r\n");

/** Regular even while a node blocks its worker: clients measure the interval. */
export const HEARTBEAT_MS = 5000;

/** What one connection may have waiting in our memory before its source is no longer read. */
const MAX_BUFFERED_BYTES = 256 * 1024;

/** What is there at once leaves in one piece, up to so many characters: each piece costs a write. */
const MAX_BATCH = 64 * 1024;

/** How an event of the log stands in a stream. */
export const runFrame = ({ seq, event, data }: RunEvent): string =>
  `id: ${seq}\nevent: ${event}\ndata: ${data}\n\n`;

/** How events of the streaming protocol do. */
export function protocolFrames(events: readonly ProtocolEvent[]): string {
  let frames = "";
  for (const { event_id, method, text } of events)
    frames += `id: ${event_id}\nevent: ${method}\ndata: ${text}\n\n`;
  return frames;
}

/**
 * The one SSE encoder: a stream of frames, read as fast as the client reads.
 * `onClose` is called once, when the source is read to its end (`isComplete`)
 * or when the client has gone. A source that fails destroys the socket, so
 * that the client comes back for the rest.
 */
export function sseStream<T>(
  source: AsyncGenerator<T>,
  frameOf: (event: T) => string,
  onClose: (isComplete: boolean) => void,
): ReadableStream<Uint8Array> {
  return streamOf(source, frameOf, HEARTBEAT, HEARTBEAT_MS, onClose);
}

/** Keeps a waiting client's connection alive; leading white space is legal JSON. */
const NEWLINE = ENCODER.encode("\n");
const NEWLINE_MS = 1000;

/** A JSON document that is not known yet. `onClose` as for `sseStream`. */
export function waitStream(
  document: Promise<string>,
  onClose: (isComplete: boolean) => void,
): ReadableStream<Uint8Array> {
  async function* once() {
    yield await document;
  }
  return streamOf(once(), (text) => text, NEWLINE, NEWLINE_MS, onClose);
}

function streamOf<T>(
  source: AsyncGenerator<T>,
  textOf: (item: T) => string,
  filler: Uint8Array,
  fillerMs: number,
  onClose: (isComplete: boolean) => void,
): ReadableStream<Uint8Array> {
  let pending: Promise<IteratorResult<T>> | null = null;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        pending ??= source.next();
        const next = await withinMs(pending, fillerMs);
        if (next === null) return controller.enqueue(filler);
        pending = null;
        if (next.done === true) {
          controller.close();
          return onClose(true);
        }
        let text = textOf(next.value);
        const turn = new Promise<null>((resolve) =>
          setImmediate(resolve, null),
        );
        while (text.length < MAX_BATCH) {
          pending = source.next();
          const more = await Promise.race([pending, turn]).catch(() => null);
          if (more === null || more.done === true) break; // for the next pull
          pending = null;
          text += textOf(more.value);
        }
        controller.enqueue(ENCODER.encode(text));
      },
      cancel() {
        onClose(false);
        // A source that nobody reads has yielded and waits: without this it would never let go of what it holds.
        void source.return(undefined).catch(() => {});
      },
    },
    {
      highWaterMark: MAX_BUFFERED_BYTES,
      size: (chunk) => chunk?.byteLength ?? 0,
    },
  );
}

/** Null when nothing came in time; the promise is then waited for again. */
async function withinMs<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
