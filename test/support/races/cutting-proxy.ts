import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";

/** When the connection breaks: the server never hears of the statement, or nobody hears its answer. */
export type Cut = "before" | "after";

/**
 * A network between us and Postgres that breaks at one statement. It reads the
 * messages of the protocol: a statement ends with `Sync`, or is a `Query`, and
 * its answer ends with `ReadyForQuery`.
 */
export class CuttingProxy {
  /** Statements so far. */
  count = 0;
  #plan: { at: number; cut: Cut } | null = null;
  readonly #upstream: URL;
  readonly #server: Server;

  private constructor(upstream: URL) {
    this.#upstream = upstream;
    this.#server = createServer((socket) => new Link(this, socket));
  }

  static async open(uri: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(uri));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Where clients connect to. */
  get uri(): string {
    const uri = new URL(this.#upstream);
    const { port } = this.#server.address() as AddressInfo;
    uri.host = `127.0.0.1:${port}`;
    return uri.href;
  }

  /** Counts from now on, and breaks the connection at statement `at`; 0: at none. */
  plan(at: number, cut: Cut): void {
    this.count = 0;
    this.#plan = { at, cut };
  }

  connectUpstream(): Socket {
    const { hostname, port } = this.#upstream;
    return connect(Number(port), hostname);
  }

  /** A statement is about to be sent. */
  next(): Cut | null {
    this.count += 1;
    return this.#plan?.at === this.count ? this.#plan.cut : null;
  }

  close(): void {
    this.#server.close();
  }
}

const QUERY = "Q".charCodeAt(0);
const SYNC = "S".charCodeAt(0);
const READY = "Z".charCodeAt(0);
/** Parse, Bind, Describe, Execute, Close: they go on with the `Sync` after them. */
const PARTS = ["P", "B", "D", "E", "C"].map((letter) => letter.charCodeAt(0));

/** One connection. */
class Link {
  readonly #proxy: CuttingProxy;
  readonly #client: Socket;
  readonly #server: Socket;
  /** Of a statement that is not whole yet. */
  #parts: Buffer[] = [];
  /** Statements that were sent and not answered yet. */
  #open = 0;
  /** As many answers still go through; null: all of them. */
  #answersLeft: number | null = null;

  constructor(proxy: CuttingProxy, client: Socket) {
    this.#proxy = proxy;
    this.#client = client;
    this.#server = proxy.connectUpstream();
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => this.#break());
    }
    const asked = new Messages({ hasStartup: true });
    client.on("data", (chunk: Buffer) => {
      for (const message of asked.take(chunk)) this.#ask(message);
    });
    const answered = new Messages({ hasStartup: false });
    this.#server.on("data", (chunk: Buffer) => {
      for (const message of answered.take(chunk)) this.#answer(message);
    });
  }

  #ask({ type, bytes }: Message): void {
    if (this.#client.destroyed || this.#answersLeft !== null) return;
    this.#parts.push(bytes);
    if (PARTS.includes(type)) return;
    if (type === QUERY || type === SYNC) {
      const cut = this.#proxy.next();
      if (cut === "before") return this.#break();
      if (cut === "after") this.#answersLeft = this.#open;
      this.#open += 1;
    }
    for (const part of this.#parts) this.#server.write(part);
    this.#parts = [];
  }

  #answer({ type, bytes }: Message): void {
    const isLast = this.#answersLeft === 0;
    if (!isLast) this.#client.write(bytes);
    if (type !== READY) return;
    if (this.#open === 0) return; // the greeting
    this.#open -= 1;
    if (isLast) this.#break();
    else if (this.#answersLeft !== null) this.#answersLeft -= 1;
  }

  #break(): void {
    this.#client.destroy();
    this.#server.destroy();
  }
}

interface Message {
  type: number;
  bytes: Buffer;
}

/** Cuts a stream of bytes into messages: a type, the length, the body. The first of a client has no type. */
class Messages {
  #rest = Buffer.alloc(0);
  #hasStartup: boolean;

  constructor({ hasStartup }: { hasStartup: boolean }) {
    this.#hasStartup = hasStartup;
  }

  take(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const head = this.#hasStartup ? 0 : 1;
      if (this.#rest.length < head + 4) return messages;
      const length = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < length) return messages;
      const bytes = this.#rest.subarray(0, length);
      messages.push({ type: head === 0 ? 0 : bytes[0]!, bytes });
      this.#rest = this.#rest.subarray(length);
      this.#hasStartup = false;
    }
  }
}
