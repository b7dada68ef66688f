import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";

type Stream = "stdout" | "stderr";

export interface PrintedLine {
  run_id: string | null;
  stream: Stream;
  text: string;
}

/** A line longer than this is cut into several, so that what is unfinished stays small. */
const MAX_LINE_CHARS = 64 * 1024;

/** What is printed without a line end is shown after this long all the same. */
const UNFINISHED_MS = 500;

/** Knows which run prints, and cuts what is printed into lines. */
export class Prints {
  readonly #run = new AsyncLocalStorage<string>();
  readonly #onLine: (line: PrintedLine) => void;
  readonly #unfinished = new Map<string, PrintedLine>();
  #timer: NodeJS.Timeout | null = null;

  constructor(onLine: (line: PrintedLine) => void) {
    this.#onLine = onLine;
  }

  /** Whatever is printed inside of `execute`, and by what it starts, belongs to the run. */
  async ofRun<T>(runId: string, execute: () => Promise<T>): Promise<T> {
    try {
      return await this.#run.run(runId, execute);
    } finally {
      this.#finish((line) => line.run_id === runId);
    }
  }

  /** Takes printed text in pieces of any size. */
  write(stream: Stream, text: string): void {
    const run_id = this.#run.getStore() ?? null;
    const key = `${run_id}/${stream}`;
    const begun = this.#unfinished.get(key)?.text ?? "";
    const lines = (begun + text).split(/\r?\n/);
    const rest = lines.pop() ?? "";
    for (const line of lines) this.#emit({ run_id, stream, text: line });
    this.#keep(key, { run_id, stream, text: rest });
  }

  /** Shows an exception with its stack. */
  error(runId: string | null, cause: unknown): void {
    const text = cause instanceof Error ? inspect(cause) : String(cause);
    for (const line of text.split("\n"))
      this.#emit({ run_id: runId, stream: "stderr", text: line });
  }

  /** Replaces `write` of a process's standard streams, so that nothing printed gets past. */
  capture(streams: Record<Stream, NodeJS.WriteStream>): void {
    for (const name of ["stdout", "stderr"] as const)
      streams[name].write = (
        chunk: string | Uint8Array,
        encoding?: BufferEncoding | WriteCallback,
        callback?: WriteCallback,
      ): boolean => {
        const done = typeof encoding === "function" ? encoding : callback;
        this.write(name, textOf(chunk));
        if (done !== undefined) process.nextTick(done);
        return true;
      };
  }

  #keep(key: string, line: PrintedLine): void {
    if (line.text.length > MAX_LINE_CHARS) this.#emit(line);
    if (line.text === "" || line.text.length > MAX_LINE_CHARS) {
      this.#unfinished.delete(key);
      return;
    }
    this.#unfinished.set(key, line);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#finish(() => true);
    }, UNFINISHED_MS).unref();
  }

  #finish(which: (line: PrintedLine) => boolean): void {
    for (const [key, line] of this.#unfinished) {
      if (!which(line)) continue;
      this.#unfinished.delete(key);
      this.#emit(line);
    }
  }

  #emit(line: PrintedLine): void {
    this.#onLine(line);
  }
}

type WriteCallback = (error?: Error | null) => void;

const textOf = (chunk: string | Uint8Array): string =>
  typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
