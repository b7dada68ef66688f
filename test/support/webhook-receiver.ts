import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { waitFor } from "./wait.ts";

export interface ReceivedWebhook {
  path: string;
  headers: IncomingHttpHeaders;
  /** As it was sent. */
  text: string;
  body: Record<string, unknown>;
}

export interface ReceiverAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** Answers 200 to what comes, unless it is told otherwise; `null` is no answer at all. */
type Answer = (
  call: ReceivedWebhook,
  count: number,
) => ReceiverAnswer | null | Promise<ReceiverAnswer | null>;

/** Somebody's server that webhooks are sent to. */
export class WebhookReceiver {
  readonly calls: ReceivedWebhook[] = [];
  readonly #answer: Answer;
  readonly #server: Server;

  constructor(answer: Answer = () => ({ status: 200 })) {
    this.#answer = answer;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const call = {
          path: request.url ?? "",
          headers: request.headers,
          text,
          body: JSON.parse(text) as Record<string, unknown>,
        };
        this.calls.push(call);
        void this.#reply(call, (answer) =>
          response
            .writeHead(answer.status, answer.headers)
            .end(answer.body ?? ""),
        );
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  async listen(port = 0): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, "close");
  }

  /** The first call that is about the run. */
  about(run_id: string): Promise<ReceivedWebhook> {
    return waitFor(`a webhook of run ${run_id}`, () =>
      this.calls.find(({ body }) => body["run_id"] === run_id),
    );
  }

  async #reply(
    call: ReceivedWebhook,
    send: (answer: ReceiverAnswer) => void,
  ): Promise<void> {
    const answer = await this.#answer(call, this.calls.length);
    if (answer !== null) send(answer);
  }
}

/** One that listens until the test is over. */
export async function startReceiver(answer?: Answer): Promise<WebhookReceiver> {
  const receiver = new WebhookReceiver(answer);
  onTestFinished(() => receiver.close());
  await receiver.listen();
  return receiver;
}
