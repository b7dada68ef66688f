import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { TestServer } from "./server.ts";
import { sseFrames } from "./sse-frames.ts";
import { waitFor } from "./wait.ts";

/** An event of the streaming protocol, as it is on the wire. */
export interface WireEvent {
  type: "event";
  event_id: string;
  seq: number;
  method: string;
  params: {
    namespace: string[];
    timestamp: number;
    node?: string;
    data: Record<string, unknown>;
  };
}

export interface Answer {
  type: "success" | "error";
  id: number | null;
  result?: Record<string, unknown>;
  meta?: { thread_id: string; applied_through_seq: number };
  error?: string;
  message?: string;
}

export const ALL_CHANNELS = [
  ...["values", "updates", "messages", "tools", "lifecycle", "input"],
  ...["checkpoints", "tasks", "custom"],
];

export const newThreadId = (): string => randomUUID();

let lastId = 0;

/** A command over HTTP. */
export async function command(
  server: TestServer,
  threadId: string,
  method: string,
  params?: object,
): Promise<Answer> {
  const body = { id: (lastId += 1), method, params };
  const answer = await server.send(
    "POST",
    `/threads/${threadId}/commands`,
    body,
  );
  if (answer.status !== 200)
    throw new Error(`${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

/** One that must work. */
export async function commanded(
  ...args: Parameters<typeof command>
): Promise<Required<Pick<Answer, "result">> & Answer> {
  const answer = await command(...args);
  const { result } = answer;
  if (result === undefined) throw new Error(JSON.stringify(answer));
  return { ...answer, result };
}

const TERMINAL = new Set(["completed", "failed", "interrupted"]);

export const isTerminal = ({ method, params }: WireEvent): boolean =>
  method === "lifecycle" &&
  params.namespace.length === 0 &&
  TERMINAL.has(String(params.data["event"]));

/** What a reader has had so far. */
export class Reading {
  readonly events: WireEvent[] = [];

  /** Waits for the end of so many runs. */
  async runs(count = 1): Promise<WireEvent[]> {
    await waitFor(
      `${count} runs to end`,
      () => this.events.filter(isTerminal).length >= count,
      { timeoutMs: 30_000 },
    );
    return this.events;
  }

  get seqs(): number[] {
    return this.events.map(({ seq }) => seq);
  }

  of(method: string): WireEvent[] {
    return this.events.filter((event) => event.method === method);
  }

  /** The data of all events of a method. */
  data(method: string): Record<string, unknown>[] {
    return this.of(method).map(({ params }) => params.data);
  }
}

/** A subscription over SSE; resolves when the server has answered. */
export async function reading(
  server: TestServer,
  threadId: string,
  filter: object = {},
): Promise<Reading & { leave(): void; readonly isOver: boolean }> {
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const response = await server.fetch(`/threads/${threadId}/stream/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channels: ALL_CHANNELS, ...filter }),
    signal: gone.signal,
  });
  const { body } = response;
  if (!response.ok || body === null)
    throw new Error(`${response.status}: ${await response.text()}`);
  let isOver = false;
  const reader = Object.assign(new Reading(), { leave: () => gone.abort() });
  void (async () => {
    for await (const { id, event, data } of sseFrames(body)) {
      const made = JSON.parse(data) as WireEvent;
      if (made.event_id !== id || made.method !== event)
        throw new Error(`frame ${id} ${event} holds ${data}`);
      reader.events.push(made);
    }
  })()
    .catch(() => {})
    .finally(() => {
      isOver = true;
    });
  return Object.defineProperty(reader, "isOver", {
    get: () => isOver,
  }) as typeof reader & { isOver: boolean };
}

/** A WebSocket, with what has come over it. */
export class ProtocolSocket extends Reading {
  readonly answers: Answer[] = [];
  /** Events and answers, in their order. */
  readonly all: (WireEvent | Answer)[] = [];
  closeCode: number | null = null;
  readonly socket: WebSocket;

  constructor(
    server: TestServer,
    threadId: string,
    headers: Record<string, string> = {},
  ) {
    super();
    const url = server.url.replace("http", "ws");
    const path = `/threads/${threadId}/stream/events`;
    this.socket = new WebSocket(url + path, { headers });
    onTestFinished(() => this.socket.terminate());
    this.socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as WireEvent | Answer;
      this.all.push(message);
      if (message.type === "event") this.events.push(message);
      else this.answers.push(message);
    });
    this.socket.on("close", (code) => {
      this.closeCode = code;
    });
    this.socket.on("error", () => {});
  }

  async opened(): Promise<this> {
    await once(this.socket, "open");
    return this;
  }

  /** The next answer, whatever is sent. */
  async tell(frame: string | Buffer): Promise<Answer> {
    const count = this.answers.length;
    this.socket.send(frame);
    return waitFor("an answer", () => this.answers[count]);
  }

  async command(method: string, params?: object): Promise<Answer> {
    const id = (lastId += 1);
    this.socket.send(JSON.stringify({ id, method, params }));
    return waitFor(`an answer to ${method}`, () =>
      this.answers.find((answer) => answer.id === id),
    );
  }
}

export const openSocket = (
  server: TestServer,
  threadId: string,
): Promise<ProtocolSocket> => new ProtocolSocket(server, threadId).opened();
