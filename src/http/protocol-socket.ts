import type { WSEvents } from "hono/ws";
import type { WebSocket } from "ws";
import type { Caller } from "../auth/caller.ts";
import { isObject } from "../lib/json.ts";
import { uuid } from "../model/fields.ts";
import { ProtocolError } from "../model/protocol-error.ts";
import {
  matchesFilter,
  protocolFilter,
  type ProtocolFilter,
} from "../model/protocol-filter.ts";
import {
  protocolEvents,
  replayFrom,
  requireVisible,
} from "../services/protocol-stream.ts";
import type { RunDeps } from "../services/run-deps.ts";
import type { ProtocolEvent } from "../stream/protocol-events.ts";
import { parseJson } from "./json-body.ts";
import {
  answerCommand,
  commandEnvelope,
  errorOf,
  type CommandAnswer,
} from "./protocol-command.ts";

/*
 * A WebSocket of the streaming protocol: commands and their answers, and the
 * events of any number of subscriptions, of one thread.
 *
 *   open ──► subscribe ⇄ unsubscribe ──► close
 *     └ refused: closed with 4000 + the HTTP status
 */

/** Why a socket is closed once it is open: 4000 + HTTP status. */
const REFUSED = 4000;

const INTERNAL_ERROR = 1011;

/** A client that answers no ping for so long is gone. */
const PING_MS = 20_000;

/** What a socket may have waiting in our memory before its events are read no more. */
const MAX_BUFFERED_BYTES = 256 * 1024;

/** A socket that takes nothing for so long is cut off, as a stream is. */
const STALLED_MS = 60_000;

/** Each costs a reader of the thread. */
const MAX_SUBSCRIPTIONS = 100;

/** Whoever is refused is told by a close code: a browser sees nothing of a handshake that fails. */
export async function openSocket(
  deps: RunDeps,
  caller: Caller,
  givenId: string,
): Promise<WSEvents> {
  const id = uuid.safeParse(givenId);
  if (!id.success) return refuse(422, "thread_id: must be a UUID");
  try {
    await requireVisible(deps, caller, id.data);
  } catch {
    return refuse(404, `Thread with ID ${id.data} not found`);
  }
  let session: Session | null = null;
  return {
    onOpen: (_, { raw }) => {
      session = new Session(deps, caller, id.data, raw as WebSocket);
    },
    onMessage: ({ data }) => void session?.receive(data),
    onClose: () => session?.end(),
    onError: () => session?.end(),
  };
}

const refuse = (status: number, reason: string): WSEvents => ({
  onOpen: (_, socket) => socket.close(REFUSED + status, reason),
});

interface Subscription {
  filter: ProtocolFilter;
  /** The number of the last event that it has had. */
  cursor: number;
}

class Session {
  readonly #deps: RunDeps;
  readonly #caller: Caller;
  readonly #threadId: string;
  readonly #socket: WebSocket;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #pings: NodeJS.Timeout;
  /** Ends the reading of the thread that goes on. */
  #reading = new AbortController();
  #count = 0;
  #isAlive = true;

  constructor(
    deps: RunDeps,
    caller: Caller,
    threadId: string,
    socket: WebSocket,
  ) {
    this.#deps = deps;
    this.#caller = caller;
    this.#threadId = threadId;
    this.#socket = socket;
    socket.on("pong", () => {
      this.#isAlive = true;
    });
    this.#pings = setInterval(() => this.#ping(), PING_MS);
  }

  async receive(data: unknown): Promise<void> {
    this.#isAlive = true;
    const command = envelopeOf(data);
    if ("type" in command) return this.#send(command);
    const { id, method, params } = command;
    try {
      if (method === "subscription.subscribe")
        return await this.#subscribe(id, protocolFilter.parse(params));
      if (method === "subscription.unsubscribe")
        return this.#send(success(id, this.#unsubscribe(params)));
    } catch (cause) {
      const error = errorOf(cause, this.#deps.log);
      return this.#send({ type: "error", id, ...error });
    }
    this.#send(
      await answerCommand(this.#deps, this.#caller, this.#threadId, command),
    );
  }

  end(): void {
    clearInterval(this.#pings);
    this.#reading.abort();
    this.#subscriptions.clear();
  }

  /** The answer comes before the first event. */
  async #subscribe(id: number, filter: ProtocolFilter): Promise<void> {
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS)
      throw new ProtocolError(
        "invalid_argument",
        `a connection has ${MAX_SUBSCRIPTIONS} subscriptions at most; unsubscribe from one first`,
      );
    this.#count += 1;
    const subscription_id = `sub_${this.#count}`;
    const cursor =
      filter.since ?? (await replayFrom(this.#deps, this.#threadId));
    this.#subscriptions.set(subscription_id, { filter, cursor });
    this.#send(success(id, { subscription_id }));
    this.#read();
  }

  #unsubscribe({ subscription_id: id }: Record<string, unknown>): object {
    if (typeof id !== "string" || !this.#subscriptions.delete(id))
      throw new ProtocolError(
        "no_such_subscription",
        `There is no subscription ${JSON.stringify(id)} on this connection.`,
      );
    if (this.#subscriptions.size === 0) this.#reading.abort();
    return {};
  }

  /**
   * One reader for all subscriptions, so that what matches several is sent
   * once, and in the order of the thread: clients filter again, and give each
   * event to all of theirs that it matches. It begins again where the
   * newest subscription does; the others have had what comes before.
   */
  #read(): void {
    this.#reading.abort();
    const reading = new AbortController();
    this.#reading = reading;
    this.#pump(reading.signal).catch((cause: unknown) => {
      this.#deps.log.error({ err: cause }, "a subscription has failed");
      this.#socket.close(INTERNAL_ERROR, "internal error");
    });
  }

  async #pump(signal: AbortSignal): Promise<void> {
    const all = [...this.#subscriptions.values()];
    const events = protocolEvents(this.#deps, this.#caller, {
      thread_id: this.#threadId,
      after: Math.min(...all.map(({ cursor }) => cursor)),
      signal,
    });
    for await (const event of events) {
      if (signal.aborted) return;
      if (this.#isAsked(event)) this.#socket.send(event.text);
      if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES)
        await this.#drained();
    }
  }

  #isAsked(event: ProtocolEvent): boolean {
    let isAsked = false;
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.cursor >= event.seq) continue;
      subscription.cursor = event.seq;
      isAsked ||= matchesFilter(event, subscription.filter);
    }
    return isAsked;
  }

  /** Resolves when the socket has room again. One that takes nothing is ended. */
  async #drained(): Promise<void> {
    const stalled = setTimeout(() => this.#socket.terminate(), STALLED_MS);
    try {
      await new Promise<void>((resolve) => {
        this.#socket.ping(undefined, undefined, () => resolve());
      });
    } finally {
      clearTimeout(stalled);
    }
  }

  #ping(): void {
    if (!this.#isAlive) return this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
  }

  #send(answer: CommandAnswer): void {
    this.#socket.send(JSON.stringify(answer));
  }
}

const success = (id: number, result: object): CommandAnswer => ({
  type: "success",
  id,
  result,
});

const malformed = (message: string): CommandAnswer => ({
  ...{ type: "error", id: null, error: "invalid_argument", message },
});

/** A command, or what to answer to what is none. */
function envelopeOf(data: unknown) {
  let given: unknown;
  try {
    given = parseJson(
      typeof data === "string"
        ? data
        : new TextDecoder("utf-8", { fatal: true }).decode(data as ArrayBuffer),
    );
  } catch {
    return malformed("Protocol commands must be valid JSON.");
  }
  const command = commandEnvelope.safeParse(given);
  if (command.success) return command.data;
  const isNamed =
    isObject(given) &&
    Number.isInteger(given["id"]) &&
    typeof given["method"] === "string";
  if (!isNamed)
    return malformed(
      "Protocol commands must include an integer id and string method.",
    );
  return malformed("Protocol commands must have an object as params.");
}
