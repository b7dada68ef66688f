import type { WSEvents } from "hono/ws";
import type { WebSocket } from "ws";
import type { Caller } from "../auth/caller.ts";
import { isObject } from "../lib/json.ts";
import { AppError } from "../model/errors.ts";
import { uuid } from "../model/fields.ts";
import type { ProtocolCommand } from "../services/protocol-commands.ts";
import type { ProtocolDeps } from "../services/protocol-deps.ts";
import { requireVisible } from "../services/protocol-stream.ts";
import { ProtocolSubscriptions } from "../services/protocol-subscriptions.ts";
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
 *   open ──► commands, events ──► close
 *     └ refused: closed with 4000 + the HTTP status
 */

/** Why a socket is closed once it is open: 4000 + HTTP status. */
const REFUSED = 4000;

const NOT_FOUND = REFUSED + 404;

const INTERNAL_ERROR = 1011;

/** A client that answers no ping for so long is gone. */
const PING_MS = 20_000;

/** What a socket may have waiting in our memory before its events are read no more. */
const MAX_BUFFERED_BYTES = 256 * 1024;

/** A socket that takes nothing for so long is cut off, as a stream is. */
const STALLED_MS = 60_000;

/** Commands that are being answered. Whoever sends more does not wait for answers, and is read no further. */
const MAX_COMMANDS = 32;

/** Whoever is refused is told by a close code: a browser sees nothing of a handshake that fails. */
export async function openSocket(
  deps: ProtocolDeps,
  caller: Caller,
  givenId: string,
): Promise<WSEvents> {
  const id = uuid.safeParse(givenId);
  if (!id.success) return refusedSocket(422, "thread_id: must be a UUID");
  try {
    await requireVisible(deps, caller, id.data);
  } catch {
    return refusedSocket(404, `Thread with ID ${id.data} not found`);
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

export const refusedSocket = (status: number, reason: string): WSEvents => ({
  onOpen: (_, socket) => socket.close(REFUSED + status, reason),
});

class Session {
  readonly #deps: ProtocolDeps;
  readonly #caller: Caller;
  readonly #threadId: string;
  readonly #socket: WebSocket;
  readonly #subscriptions: ProtocolSubscriptions;
  readonly #pings: NodeJS.Timeout;
  #commands = 0;
  #isAlive = true;

  constructor(
    deps: ProtocolDeps,
    caller: Caller,
    threadId: string,
    socket: WebSocket,
  ) {
    this.#deps = deps;
    this.#caller = caller;
    this.#threadId = threadId;
    this.#socket = socket;
    this.#subscriptions = new ProtocolSubscriptions({
      ...{ deps, caller, threadId },
      outlet: {
        send: (text) => this.#sendEvent(text),
        failed: (cause) => this.#fail(cause),
        ended: () => this.#socket.close(NOT_FOUND, "the thread was deleted"),
      },
    });
    socket.on("pong", () => {
      this.#isAlive = true;
    });
    this.#pings = setInterval(() => this.#ping(), PING_MS);
  }

  async receive(data: unknown): Promise<void> {
    this.#isAlive = true;
    this.#commands += 1;
    if (this.#commands >= MAX_COMMANDS) this.#socket.pause();
    try {
      const command = envelopeOf(data);
      if ("type" in command) this.#send(command);
      else await this.#perform(command);
    } catch (cause) {
      this.#fail(cause);
    } finally {
      this.#commands -= 1;
      if (this.#commands < MAX_COMMANDS) this.#socket.resume();
    }
  }

  end(): void {
    clearInterval(this.#pings);
    this.#subscriptions.close();
  }

  async #perform(command: ProtocolCommand): Promise<void> {
    const { id, method, params } = command;
    const all = this.#subscriptions;
    const answer = (result: object) =>
      this.#send({ type: "success", id, result });
    try {
      switch (method) {
        case "subscription.subscribe":
          return await all.subscribe(params, answer);
        case "subscription.unsubscribe":
          return answer(all.unsubscribe(params));
        case "subscription.reconnect":
          return await all.reconnect(params, answer);
      }
    } catch (cause) {
      const error = errorOf(cause, this.#deps.log);
      return this.#send({ type: "error", id, ...error });
    }
    this.#send(
      await answerCommand(this.#deps, this.#caller, this.#threadId, command),
    );
  }

  #fail(cause: unknown): void {
    // Somebody else has made the thread that was waited for.
    if (cause instanceof AppError && cause.code === "not_found")
      return this.#socket.close(NOT_FOUND, cause.message);
    this.#deps.log.error({ err: cause }, "a WebSocket has failed");
    this.#socket.close(INTERNAL_ERROR, "internal error");
  }

  /** Resolves when the socket has room for more. One that takes nothing is ended. */
  async #sendEvent(text: string): Promise<void> {
    if (this.#socket.bufferedAmount < MAX_BUFFERED_BYTES)
      return this.#socket.send(text);
    const stalled = setTimeout(() => this.#socket.terminate(), STALLED_MS);
    await new Promise<void>((resolve) => {
      this.#socket.send(text, () => resolve());
    });
    clearTimeout(stalled);
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

const malformed = (message: string): CommandAnswer => ({
  ...{ type: "error", id: null, error: "invalid_argument", message },
});

/** A command, or what to answer to what is none. */
function envelopeOf(data: unknown): ProtocolCommand | CommandAnswer {
  let given: unknown;
  try {
    given = parseJson(typeof data === "string" ? data : textOf(data));
  } catch {
    return malformed("Protocol commands must be valid JSON.");
  }
  const command = commandEnvelope.safeParse(given);
  if (command.success) return command.data;
  const isNamed =
    isObject(given) &&
    Number.isInteger(given["id"]) &&
    typeof given["method"] === "string";
  return malformed(
    isNamed
      ? "Protocol commands must have an id from 0 on, and an object as params."
      : "Protocol commands must include an integer id and string method.",
  );
}

const textOf = (data: unknown): string =>
  new TextDecoder("utf-8", { fatal: true }).decode(data as ArrayBuffer);
