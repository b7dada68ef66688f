import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";

/** A way to a server that can be pulled out: what goes over it breaks, and nothing gets through until it is in again. */
export class Cable implements AsyncDisposable {
  readonly #to: number;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #server: Server | null = null;

  private constructor(to: number) {
    this.#to = to;
  }

  static async to(url: string): Promise<Cable> {
    const cable = new Cable(Number(new URL(url).port));
    await cable.plugIn();
    return cable;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async plugIn(): Promise<void> {
    const server = createServer((near) => this.#join(near));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async pullOut(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pullOut();
  }

  #join(near: Socket): void {
    const far = connect(this.#to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
