/*
 * Writes down what a test calls on a JavaScript client. The client is wrapped,
 * not changed: its methods call each other unseen, so that a line of the record
 * is a call that a user would make.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  recordFile,
  type Call,
  type ClientName,
} from "./compatibility-record.ts";

type Method = (...args: unknown[]) => unknown;

/** Parameters that hold options; what else is passed counts under its own name. */
const BAGS = new Set(["config", "options", "payload", "query"]);

export class CallRecord {
  readonly client: ClientName;
  readonly #version: string;
  readonly #called = new Set<string>();

  /** Starts the client's record anew. */
  constructor(client: ClientName, version: string) {
    this.client = client;
    this.#version = version;
    mkdirSync(dirname(recordFile(client)), { recursive: true });
    writeFileSync(recordFile(client), "");
  }

  /** `threads.getState` and all others that were called, whatever came of it. */
  get called(): ReadonlySet<string> {
    return this.#called;
  }

  /** The same client; the methods of its resources (`client.threads`, …) are recorded. */
  wrap<T extends object>(client: T): T {
    return new Proxy(client, {
      get: (target, name, receiver) => {
        const resource: unknown = Reflect.get(target, name, receiver);
        return isObject(resource)
          ? this.resource(String(name), resource)
          : resource;
      },
    });
  }

  /** The same object; its methods are recorded as methods of `name`. */
  resource<T extends object>(name: string, resource: T): T {
    return new Proxy(resource, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function" || typeof key !== "string")
          return member;
        const method = member as Method;
        return (...args: unknown[]) =>
          this.settle(
            { method: `${name}.${key}`, options: optionsOf(method, args) },
            method.apply(target, args),
          );
      },
    });
  }

  /** Records what comes of a call: when its promise settles, when its stream ends. */
  settle(call: Pick<Call, "method" | "options">, result: unknown): unknown {
    if (result instanceof Promise)
      return result.then(
        (value: unknown) => this.settle(call, value),
        (error: unknown) => this.#fail(call, error),
      );
    if (isAsyncIterable(result)) return this.#follow(call, result);
    this.#add({ ...call, outcome: "ok" });
    return result;
  }

  async *#follow(
    call: Pick<Call, "method" | "options">,
    stream: AsyncIterable<unknown>,
  ): AsyncGenerator {
    try {
      for await (const frame of stream) yield frame;
    } catch (error) {
      this.#fail(call, error);
    }
    this.#add({ ...call, outcome: "ok" });
  }

  #fail(call: Pick<Call, "method" | "options">, error: unknown): never {
    const status = statusOf(error);
    this.#add({
      ...call,
      outcome: "error",
      ...(status === undefined ? {} : { status }),
    });
    throw error;
  }

  #add(call: Omit<Call, "client" | "version">): void {
    this.#called.add(call.method);
    const { client } = this;
    const line = JSON.stringify({ client, version: this.#version, ...call });
    appendFileSync(recordFile(client), `${line}\n`);
  }
}

/**
 * Ids say which row is meant, a signal never reaches the server; all else that
 * was passed is an option that was exercised.
 */
function optionsOf(method: Method, args: unknown[]): string[] {
  const names = parametersOf(method);
  return args.flatMap((value, i) => {
    const name = names[i] ?? "";
    if (value === null) return name === "threadId" ? ["stateless"] : [];
    if (value === undefined) return [];
    if (value instanceof AbortSignal) return [];
    if (BAGS.has(name) && isObject(value))
      return Object.entries(value)
        .filter(([key, option]) => key !== "signal" && option !== undefined)
        .map(([key]) => key);
    if (name === "checkpoint" && typeof value === "string")
      return ["checkpointId"];
    return /Ids?$|OrConfig$/.test(name) ? [] : [name];
  });
}

/** As its source spells them: both versions of the SDK are published readable. */
function parametersOf(method: Method): string[] {
  const [, list = ""] = /^[^(]*\(([^)]*)\)/.exec(method.toString()) ?? [];
  return list
    .split(",")
    .map((parameter) => parameter.split("=")[0]?.trim() ?? "");
}

/** Both versions have `HTTPError`s of their own, which are not exported. */
function statusOf(error: unknown): number | undefined {
  const { status } = error as { status?: unknown };
  return typeof status === "number" ? status : undefined;
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null;

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  isObject(value) && Symbol.asyncIterator in value;
