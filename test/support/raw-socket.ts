import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { waitFor } from "./wait.ts";

/** A client of nothing but a socket: it can stop reading, and go away in every way that there is. */
export class RawClient {
  readonly socket: Socket;
  text = "";

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text) => (this.text += String(text)));
    socket.on("error", () => {}); // how it ended is seen by `closed`
  }

  static async request(
    url: string,
    head: string,
    { body, headers = {} }: { body?: object; headers?: Record<string, string> },
  ): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    const client = new RawClient(socket);
    const content = body === undefined ? "" : JSON.stringify(body);
    const lines = Object.entries({
      host: hostname,
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(content)),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${head} HTTP/1.1\r\n${lines.join("")}\r\n${content}`);
    return client;
  }

  until(text: string): Promise<unknown> {
    return waitFor(`${text} has come`, () => this.text.includes(text));
  }

  get closed(): Promise<unknown> {
    return this.socket.closed ? Promise.resolve() : once(this.socket, "close");
  }
}
