import { IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { WebSocketServer } from "ws";
import { deferred } from "../lib/deferred.ts";
import type { App } from "./deps.ts";
import { keepDotSegments } from "./dot-segments.ts";

export interface Listening {
  /** `http://127.0.0.1:2024`, with the port that was given out. */
  url: string;
  port: number;
  /** Answers with this app. Requests that come before wait for it. */
  serve(app: App): void;
  /**
   * Takes no new connections, ends the idle ones, and waits for the active
   * ones until the deadline (milliseconds), at which they are cut off.
   */
  close(deadlineMs: number): Promise<void>;
}

/** Longer than the 60 s of most load balancers, so that it is never us who close a connection that they are about to use. */
const KEEP_ALIVE_MS = 75_000;

/** A client that takes longer to send its headers is not one we want. */
const HEADERS_MS = 30_000;

/** The close code that tells a client to come back. */
const GOING_AWAY = 1001;

/**
 * Node hands every request with an `Upgrade` header to whoever upgrades, and
 * others wait for ever. Some clients offer HTTP/2 with each request: theirs are
 * requests like any other.
 */
class IncomingRequest extends IncomingMessage {
  /** Set by the constructor of the class below, so it has no value of its own to begin with. */
  declare private offersUpgrade: boolean;

  /** Node sets it before it knows the headers, and asks for it after. */
  get upgrade(): boolean {
    return (
      this.offersUpgrade && this.headers.upgrade?.toLowerCase() === "websocket"
    );
  }

  set upgrade(isUpgrade: boolean) {
    this.offersUpgrade = isUpgrade;
  }
}

/** How often close() looks for connections that have become idle. */
const IDLE_CHECK_MS = 50;

/**
 * Takes the address, so that it can be told while the routes are still being
 * loaded. Port 0 takes any free one. Rejects with an Error that names port and
 * remedy; its `code` is the system's (`EADDRINUSE`).
 */
export async function listen({
  host,
  port,
  maxFrameBytes,
}: {
  host: string;
  port: number;
  /** Of a message on a WebSocket; a longer one closes it. */
  maxFrameBytes?: number;
}): Promise<Listening> {
  const served = deferred<App>();
  let app: App | null = null;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false, // costs more than it saves for many small messages
    ...(maxFrameBytes === undefined ? {} : { maxPayload: maxFrameBytes }),
  });
  const server = createAdaptorServer({
    fetch: async (request, env) =>
      (app ?? (await served.promise)).fetch(request, env),
    websocket: { server: sockets as never },
    serverOptions: {
      IncomingMessage: IncomingRequest,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: 0, // a large body over a slow line takes as long as it takes
    },
  }) as Server;
  server.prependListener("request", (incoming) => {
    incoming.url = keepDotSegments(incoming.url ?? "");
  });
  await bind(server, host, port);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${shownHost(host)}:${address.port}`,
    port: address.port,
    serve: (ready) => {
      app = ready;
      served.resolve(ready);
    },
    close: (deadlineMs) => close(server, sockets, deadlineMs),
  };
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException) =>
      reject(bindError(cause, host, port));
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function bindError(
  cause: NodeJS.ErrnoException,
  host: string,
  port: number,
): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is taken by another program; stop it, or choose another port with --port`,
    EACCES: `port ${port} needs more rights than this user has; choose one above 1023 with --port`,
    EADDRNOTAVAIL: `${host} is no address of this machine; choose another one with --host`,
    ENOTFOUND: `${host} is no known host name; choose another one with --host`,
  };
  const reason =
    reasons[cause.code ?? ""] ??
    `cannot listen on ${host}:${port}: ${cause.message}`;
  return Object.assign(new Error(reason, { cause }), { code: cause.code });
}

async function close(
  server: Server,
  { clients }: WebSocketServer,
  deadlineMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const deadline = setTimeout(() => {
    server.closeAllConnections();
    for (const socket of clients) socket.terminate();
  }, deadlineMs);
  server.closeIdleConnections();
  for (const socket of clients) socket.close(GOING_AWAY);
  try {
    await closed;
  } finally {
    clearInterval(sweep);
    clearTimeout(deadline);
  }
}

/** What a browser can open: an IPv6 address needs brackets, and "every address" is no address. */
function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
