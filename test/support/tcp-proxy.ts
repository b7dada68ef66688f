import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A line between a server and its database that breaks, is slow, or swallows what is sent, when it is told to. */
export class TcpProxy implements AsyncDisposable {
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #upstreamPort: () => number;
  readonly #server: Server;
  #delayMs = 0;
  #isSilent = false;

  private constructor(upstreamPort: () => number) {
    this.#upstreamPort = upstreamPort;
    this.#server = createServer((near) => this.#join(near));
  }

  static async open(upstreamPort: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(upstreamPort);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Every connection that there is breaks, in the middle of whatever it carries. */
  cut(): void {
    for (const pair of this.#pairs)
      for (const socket of pair) socket.resetAndDestroy();
  }

  /** What is sent from now on arrives so much later, in order. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /** Nothing arrives and nothing ends: a line that looks open and is not. `speak` brings what was held back. */
  silence(): void {
    this.#isSilent = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  speak(): void {
    this.#isSilent = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket): void {
    const far = connect(this.#upstreamPort(), "127.0.0.1");
    const pair: [Socket, Socket] = [near, far];
    this.#pairs.add(pair);
    const over = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [pair, [far, near]] as const) {
      from.on("error", over);
      from.on("close", over);
      // One behind the other: what is not delayed any more must not overtake what still is.
      let passed: Promise<unknown> = Promise.resolve();
      from.on("data", (chunk) => {
        const due = this.#delayMs === 0 ? null : sleep(this.#delayMs);
        passed = passed.then(async () => {
          await due;
          if (to.writable) to.write(chunk);
        });
      });
      if (this.#isSilent) from.pause();
    }
  }
}
