import { deferred, type Deferred } from "../lib/deferred.ts";
import { PROTOCOL_VERSION, type Frame, type RemoteError } from "./frames.ts";
import type { Methods, Notices } from "./method.ts";
import type { Pipe } from "./pipe.ts";

/** An error that the other side answered a request with. */
export class PeerError extends Error {
  override readonly name = "PeerError";
  readonly remote: RemoteError;
  constructor(remote: RemoteError) {
    super(remote.message);
    this.remote = remote;
  }
}

/** The other side is gone; whether it did what was asked is unknown. */
export class PeerClosedError extends Error {
  override readonly name = "PeerClosedError";
}

export type RequestServer<M extends Methods> = {
  [K in keyof M]: (params: M[K]["params"]) => Promise<M[K]["result"]>;
};

export type NoticeServer<N extends Notices> = {
  [K in keyof N]: (params: N[K]) => void;
};

export interface PeerOptions<Serves extends Methods, Hears extends Notices> {
  pipe: Pipe;
  /** Told to the other side, e.g. `node 20.20.2`. */
  runtime: string;
  requests: RequestServer<Serves>;
  notices: NoticeServer<Hears>;
}

/**
 * One end of the pipe: asks (`request`), tells (`notify`), and serves what the
 * other end asks and tells. Replies may come in any order.
 */
export class Peer<
  Serves extends Methods,
  Hears extends Notices,
  Asks extends Methods,
  Tells extends Notices,
> {
  /** Resolves once the other side has said hello in our version; rejects when it speaks another one. */
  readonly ready: Promise<{ runtime: string }>;
  /** Resolves when the pipe is closed, with the error if there was one. */
  readonly closed: Promise<Error | undefined>;
  readonly #options: PeerOptions<Serves, Hears>;
  readonly #pending = new Map<number, Deferred<unknown>>();
  readonly #ready = deferred<{ runtime: string }>();
  readonly #closed = deferred<Error | undefined>();
  #nextId = 1;
  #isClosed = false;

  constructor(options: PeerOptions<Serves, Hears>) {
    this.#options = options;
    this.ready = this.#ready.promise;
    this.ready.catch(() => {}); // whoever awaits it hears of it; nobody has to
    this.closed = this.#closed.promise;
    options.pipe.receive(
      (frame) => this.#onFrame(frame),
      (error) => this.#onClose(error),
    );
    this.#send({
      t: "hello",
      version: PROTOCOL_VERSION,
      runtime: options.runtime,
    });
  }

  /** Rejects with PeerError (the answer was an error), PeerClosedError, or FrameTooLargeError. */
  async request<K extends keyof Asks & string>(
    method: K,
    params: Asks[K]["params"],
  ): Promise<Asks[K]["result"]> {
    if (this.#isClosed)
      throw new PeerClosedError(`${method}: the pipe is closed`);
    const id = this.#nextId++;
    const reply = deferred<unknown>();
    // The answer may come, or the pipe close, while the rest of this function
    // still waits for room; until then nobody listens to the promise.
    reply.promise.catch(() => {});
    this.#pending.set(id, reply);
    try {
      await this.#options.pipe.send({ t: "request", id, method, params });
    } catch (cause) {
      this.#pending.delete(id);
      throw cause;
    }
    return reply.promise as Promise<Asks[K]["result"]>;
  }

  /** Resolves when there is room for more; awaiting it is the back-pressure. */
  async notify<K extends keyof Tells & string>(
    method: K,
    params: Tells[K],
  ): Promise<void> {
    if (!this.#isClosed)
      await this.#options.pipe.send({ t: "notice", method, params });
  }

  /** What was sent in this turn leaves at once, before its end. */
  sendNow(): void {
    this.#options.pipe.flush();
  }

  close(): void {
    this.#options.pipe.close();
    this.#onClose();
  }

  #onFrame(frame: Frame): void {
    if (this.#isClosed) return; // one chunk may hold more than what made us close
    switch (frame.t) {
      case "hello":
        return this.#onHello(frame);
      case "request":
        return void this.#serve(frame);
      case "reply":
        return this.#take(frame.id)?.resolve(frame.result);
      case "failure":
        return this.#take(frame.id)?.reject(new PeerError(frame.error));
      case "notice":
        return this.#hear(frame);
    }
  }

  #onHello(frame: Frame & { t: "hello" }): void {
    if (frame.version === PROTOCOL_VERSION)
      return this.#ready.resolve({ runtime: frame.runtime });
    const error = new Error(
      `the other side (${frame.runtime}) speaks version ${frame.version} of the worker protocol, this side version ${PROTOCOL_VERSION}; install the same version of Spool on both`,
    );
    this.#ready.reject(error);
    this.#options.pipe.close();
    this.#onClose(error);
  }

  #hear({ method, params }: Frame & { t: "notice" }): void {
    if (Object.hasOwn(this.#options.notices, method))
      this.#options.notices[method]?.(params as never);
  }

  async #serve(frame: Frame & { t: "request" }): Promise<void> {
    const { id, method } = frame;
    try {
      // A name from the other side: `toString` is not a method of ours.
      const serve = Object.hasOwn(this.#options.requests, method)
        ? this.#options.requests[method]
        : undefined;
      if (serve === undefined) throw new Error(`unknown method ${method}`);
      const result = await serve(frame.params as never);
      await this.#options.pipe.send({ t: "reply", id, result });
    } catch (cause) {
      this.#send({ t: "failure", id, error: remoteError(cause) });
    }
  }

  #take(id: number): Deferred<unknown> | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  /** For frames that are always small and that nobody waits for. */
  #send(frame: Frame): void {
    this.#options.pipe
      .send(frame)
      .catch((error: Error) => this.#onClose(error));
  }

  #onClose(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const reason = new PeerClosedError(
      error?.message ?? "the other side of the pipe is gone",
      { cause: error },
    );
    for (const pending of this.#pending.values()) pending.reject(reason);
    this.#pending.clear();
    this.#ready.reject(reason);
    this.#closed.resolve(error);
  }
}

export function remoteError(cause: unknown): RemoteError {
  // Its own answer comes back to the other side: the code in it is how that knows it.
  if (cause instanceof PeerError) return cause.remote;
  if (!(cause instanceof Error))
    return { name: "Error", message: String(cause) };
  const { code } = cause as { code?: unknown };
  return {
    name: cause.name,
    message: cause.message,
    ...(typeof code === "string" ? { code } : {}),
    ...(cause.stack === undefined ? {} : { stack: cause.stack }),
  };
}
