import type { Duplex } from "node:stream";
import { Packr, RESERVE_START_SPACE } from "msgpackr";
import { MAX_FRAME_BYTES, type Frame } from "./frames.ts";
import { memoryStreams } from "./memory-streams.ts";

/*
 * A frame is its length (4 bytes, big-endian) and then that many bytes of
 * MessagePack. The same code runs on a socket pair between two processes and
 * on an in-memory pair inside one.
 */

const HEADER_BYTES = 4;

/** Plain maps and arrays only: the other side may be written in any language. */
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true, // or no object may have more than 65,535 members
});

export class FrameTooLargeError extends Error {
  override readonly name = "FrameTooLargeError";
  constructor(what: string, bytes: number, most: number) {
    super(
      `${what} is ${bytes} bytes; a frame between server and worker holds at most ${most}`,
    );
  }
}

export interface PipeOptions {
  /** What a frame may hold, without its header. */
  maxFrameBytes?: number;
}

export class Pipe {
  readonly #stream: Duplex;
  readonly #maxFrameBytes: number;
  #drained: Promise<void> | null = null;
  #isCorked = false;

  constructor(stream: Duplex, options: PipeOptions = {}) {
    this.#stream = stream;
    // Without a listener an error ends the process; `receive` may come later.
    stream.on("error", () => {});
    this.#maxFrameBytes = options.maxFrameBytes ?? MAX_FRAME_BYTES;
  }

  /**
   * Resolves when the other side has room for more, so a producer that awaits
   * it cannot run ahead of the reader. Throws FrameTooLargeError, and then
   * nothing was sent. After the close it does nothing.
   */
  async send(frame: Frame): Promise<void> {
    const bytes = packr.pack(frame, RESERVE_START_SPACE | HEADER_BYTES);
    const length = bytes.length - HEADER_BYTES;
    if (length > this.#maxFrameBytes)
      throw new FrameTooLargeError(
        describe(frame),
        length,
        this.#maxFrameBytes,
      );
    if (this.#stream.destroyed) return; // `receive` tells of it
    bytes.writeUInt32BE(length);
    this.#cork();
    if (!this.#stream.write(bytes)) await this.#drain();
  }

  /** Calls `onFrame` for each frame in order, and `onClose` once, with the error if there was one. */
  receive(
    onFrame: (frame: Frame) => void,
    onClose: (error?: Error) => void,
  ): void {
    const reader = new FrameReader(onFrame, this.#maxFrameBytes);
    let closed = false;
    const close = (error?: Error) => {
      if (closed) return;
      closed = true;
      onClose(error);
    };
    this.#stream.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (cause) {
        this.#stream.destroy();
        close(cause as Error);
      }
    });
    this.#stream.on("error", close);
    this.#stream.on("end", () => close());
    this.#stream.on("close", () => close());
  }

  /** Stops reading: the other side will wait once the buffers between us are full. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** What was sent in this turn is with the system when this returns, as far as it has room. */
  flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#stream.uncork();
  }

  close(): void {
    this.#stream.destroy();
  }

  /** What is sent in one turn goes out with one system call: each costs more than most frames do. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#stream.cork();
    setImmediate(() => this.flush());
  }

  #drain(): Promise<void> {
    this.#drained ??= new Promise<void>((resolve) => {
      const done = () => {
        this.#drained = null;
        this.#stream.off("drain", done);
        this.#stream.off("close", done);
        resolve();
      };
      this.#stream.on("drain", done);
      this.#stream.on("close", done); // a dead reader must not hold its writer for ever
    });
    return this.#drained;
  }
}

/** Cuts a byte stream into frames. */
class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #wanted: number | null = null;
  readonly #maxFrameBytes: number;

  constructor(onFrame: (frame: Frame) => void, maxFrameBytes: number) {
    this.#onFrame = onFrame;
    this.#maxFrameBytes = maxFrameBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (;;) {
      if (this.#wanted === null) {
        if (this.#buffered < HEADER_BYTES) return;
        this.#wanted = this.#take(HEADER_BYTES).readUInt32BE();
        if (this.#wanted > this.#maxFrameBytes)
          throw new FrameTooLargeError(
            "an incoming frame",
            this.#wanted,
            this.#maxFrameBytes,
          );
      }
      if (this.#buffered < this.#wanted) return;
      const body = this.#take(this.#wanted);
      this.#wanted = null;
      this.#onFrame(packr.unpack(body) as Frame);
    }
  }

  #take(bytes: number): Buffer {
    const all =
      this.#chunks.length === 1
        ? (this.#chunks[0] as Buffer)
        : Buffer.concat(this.#chunks);
    this.#chunks = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#buffered = all.length - bytes;
    return all.subarray(0, bytes);
  }
}

function describe(frame: Frame): string {
  if (frame.t === "request" || frame.t === "notice") return frame.method;
  return frame.t === "reply" ? "a reply" : frame.t;
}

/** Two ends of a pipe inside one process. */
export function memoryPipe(options: PipeOptions = {}): [Pipe, Pipe] {
  const [here, there] = memoryStreams();
  return [new Pipe(here, options), new Pipe(there, options)];
}
