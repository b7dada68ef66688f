import { Duplex } from "node:stream";

/** One end of a socket pair that exists in memory only. */
class MemoryStream extends Duplex {
  /** Set as soon as both ends exist. */
  other!: MemoryStream;
  /** Ends the write of the other side that we have no room for yet. */
  #acceptWrite: (() => void) | null = null;

  constructor() {
    super({ allowHalfOpen: false });
  }

  override _read(): void {
    const accept = this.#acceptWrite;
    this.#acceptWrite = null;
    accept?.();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: () => void,
  ): void {
    if (this.other.#take(chunk)) done();
    else this.other.#acceptWrite = done;
  }

  override _final(done: () => void): void {
    this.other.#end();
    done();
  }

  override _destroy(
    error: Error | null,
    done: (error: Error | null) => void,
  ): void {
    this._read(); // the other side must not wait for us
    this.other.#end();
    done(error);
  }

  /** Whether there is room for more. What is sent to somebody who is gone is lost, as on a socket. */
  #take(chunk: Buffer): boolean {
    return this.destroyed || this.readableEnded || this.push(chunk);
  }

  #end(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }
}

/**
 * Two streams of which each reads what the other writes. Writes wait for the
 * reader; when one is destroyed, the other reads what is left and ends.
 */
export function memoryStreams(): [Duplex, Duplex] {
  const here = new MemoryStream();
  const there = new MemoryStream();
  here.other = there;
  there.other = here;
  return [here, there];
}
