import { Client } from "undici";

export interface Request {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
}

/** A few keep-alive connections, one request at a time on each. */
export class Connections implements AsyncDisposable {
  readonly #clients: Client[];

  constructor(url: string, count: number) {
    this.#clients = Array.from(
      { length: count },
      () => new Client(url, { bodyTimeout: 0, headersTimeout: 0 }),
    );
  }

  get count(): number {
    return this.#clients.length;
  }

  /** The text of a 2xx answer; anything else throws. */
  async send(connection: number, request: Request): Promise<string> {
    const { method, path, body } = request;
    const client = this.#clients[connection % this.#clients.length];
    if (client === undefined) throw new Error("no connection");
    const response = await client.request({
      method,
      path,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300)
      throw new Error(
        `${method} ${path}: ${response.statusCode} ${text.slice(0, 300)}`,
      );
    return text;
  }

  async json<T>(request: Request): Promise<T> {
    return JSON.parse(await this.send(0, request)) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.destroy()));
  }
}

export interface Latencies {
  count: number;
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface LoadOptions {
  seconds: number;
  /** Ends earlier, when this many are done. */
  count?: number;
  /** Ends earlier, when this is so. */
  until?: () => boolean;
}

/**
 * Closed loop: each connection sends its next request when it has the answer
 * to the last. Milliseconds.
 */
export async function load(
  connections: Connections,
  next: (index: number) => Request,
  { seconds, count = Infinity, until = () => false }: LoadOptions,
): Promise<Latencies> {
  const latencies: number[] = [];
  let index = 0;
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const client = async (_: unknown, connection: number): Promise<void> => {
    while (index < count && performance.now() < endsAt && !until()) {
      const request = next(index++);
      const sentAt = performance.now();
      await connections.send(connection, request);
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: connections.count }, client));
  return summary(latencies, (performance.now() - startedAt) / 1000);
}

export function summary(latencies: number[], seconds: number): Latencies {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    count: sorted.length,
    perSecond: sorted.length / seconds,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  };
}
