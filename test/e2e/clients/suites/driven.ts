import { Client, type ClientConfig } from "@langchain/langgraph-sdk";
import { expect } from "vitest";
import { CallRecord } from "../../../support/call-record.ts";
import type { ClientName } from "../../../support/compatibility-record.ts";
import type { TestServer } from "../../../support/server.ts";

/** Typed as 1.15.0, which has all that 2.0.0 has. */
export type ClientClass = new (config?: ClientConfig) => Client;

/** One version of the client, driving one server, with a record of its calls. */
export class Driven {
  readonly server: TestServer;
  readonly record: CallRecord;
  readonly #clientClass: ClientClass;

  constructor(params: {
    name: ClientName;
    clientClass: ClientClass;
    server: TestServer;
  }) {
    this.server = params.server;
    this.#clientClass = params.clientClass;
    this.record = new CallRecord(params.name, params.name.replace("js-", ""));
  }

  /** Does not repeat failed requests, so that no failure is hidden from a test. */
  get client(): Client {
    return this.clientWith({ callerOptions: { maxRetries: 0 } });
  }

  clientWith(config: ClientConfig): Client {
    const { url } = this.server;
    return this.record.wrap(this.unrecorded({ apiUrl: url, ...config }));
  }

  unrecorded(config?: ClientConfig): Client {
    return new this.#clientClass(config);
  }

  /** What 1.15.0 knows and 2.0.0 does not. */
  get isNewest(): boolean {
    return this.record.client === "js-1.15.0";
  }
}

/** The error of a refused request, as both versions report it: text, status and body. */
export async function expectRefused(
  request: Promise<unknown>,
  status: number,
  detail?: string | RegExp,
): Promise<void> {
  const error = await request.then(
    (value) => {
      throw new Error(`not refused, but answered: ${JSON.stringify(value)}`);
    },
    (reason: unknown) => reason as Error & { status?: number; text?: string },
  );
  expect(error.message).toBe(`HTTP ${status}: ${error.text}`);
  expect(error.status).toBe(status);
  const body = JSON.parse(error.text ?? "") as { detail: string };
  if (typeof detail === "string") expect(body.detail).toBe(detail);
  else expect(body.detail).toMatch(detail ?? /./);
}

/** For options that every method takes: a call that is aborted ends at once. */
export async function expectAborted(
  call: (options: { signal: AbortSignal }) => Promise<unknown>,
): Promise<void> {
  await expect(call({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
}

/** All frames of a stream that is refused before its first one. */
export async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _frame of stream);
}

/** Asks until the answer is as expected: `await eventually(ask).toBe(…)`. */
export const eventually = <T>(ask: () => T | Promise<T>) =>
  expect.poll(ask, { timeout: 15_000, interval: 25 });
