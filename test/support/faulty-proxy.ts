import { once } from "node:events";
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A network between client and server that fails when it is told to, each time once. */
export class FaultyProxy {
  /** `GET /threads/x/stream` and its `Last-Event-ID`, of every request that came. */
  readonly requests: { line: string; lastEventId: string | undefined }[] = [];
  #answerNext: number | null = null;
  #holdNext = false;
  #cutAfterFrames: number | null = null;
  readonly #upstream: string;
  readonly #server: Server;

  private constructor(upstream: string) {
    this.#upstream = upstream;
    this.#server = createServer((req, res) => this.#handle(req, res));
  }

  static async open(upstream: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(upstream);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** The next request gets this status and never reaches the server. */
  answerNext(status: number): void {
    this.#answerNext = status;
  }

  /** The next request is never answered. */
  holdNext(): void {
    this.#holdNext = true;
  }

  /** The connection of the next event stream breaks after so many frames. */
  cutAfter(frames: number): void {
    this.#cutAfterFrames = frames;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #handle(req: IncomingMessage, res: ServerResponse): void {
    this.requests.push({
      line: `${req.method} ${req.url}`,
      lastEventId: req.headers["last-event-id"] as string | undefined,
    });
    if (this.#holdNext) {
      this.#holdNext = false;
      return;
    }
    if (this.#answerNext !== null) {
      res.writeHead(this.#answerNext).end("no");
      this.#answerNext = null;
      return;
    }
    this.#forward(req, res);
  }

  #forward(req: IncomingMessage, res: ServerResponse): void {
    const { method, headers } = req;
    const url = `${this.#upstream}${req.url}`;
    const ahead = request(url, { method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      const type = answer.headers["content-type"] ?? "";
      const cut = type.startsWith("text/event-stream") && this.#cutAfterFrames;
      if (cut) this.#cut(answer, res, cut);
      else answer.pipe(res);
    });
    ahead.on("error", () => res.destroy());
    res.on("close", () => ahead.destroy());
    req.pipe(ahead);
  }

  #cut(answer: IncomingMessage, res: ServerResponse, frames: number): void {
    this.#cutAfterFrames = null;
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      text += chunk;
      const whole = text.split("\n\n");
      if (whole.length <= frames) return;
      answer.removeAllListeners("data");
      const kept = `${whole.slice(0, frames).join("\n\n")}\n\n`;
      res.write(kept, () => res.destroy());
    });
  }
}
