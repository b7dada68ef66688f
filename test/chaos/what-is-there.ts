import type { JsonObject } from "../../src/lib/json.ts";
import type { Served } from "../support/served.ts";
import { logIn } from "./load-client.ts";

export interface FoundRun {
  run_id: string;
  status: string;
  op: string;
}

export interface FoundCheckpoint {
  id: string;
  parent: string | null;
  log: string[];
}

/** A thread as the API shows it, read in several requests: a run may move on between them. */
export interface FoundThread {
  status: string;
  metadata: JsonObject;
  /** Log in the values of the thread itself. */
  shownLog: string[];
  runs: FoundRun[];
  log: string[];
  /** Newest first. */
  history: FoundCheckpoint[];
}

interface Snapshot {
  values: unknown;
  checkpoint: { checkpoint_id: string } | null;
  parent_checkpoint: { checkpoint_id: string } | null;
}

const PAGE = 1000;

/** What the server gives on its routes; 404 is null, everything else that is not 200 throws. */
export class WhatIsThere {
  readonly #server: Served;

  constructor(server: Served) {
    this.#server = server;
  }

  async thread(threadId: string): Promise<FoundThread | null> {
    const path = `/threads/${threadId}`;
    const thread = await this.#get<{
      status: string;
      metadata: JsonObject;
      values: unknown;
    }>(path);
    if (thread === null) return null;
    return {
      status: thread.status,
      metadata: thread.metadata,
      shownLog: logIn(thread.values),
      runs: await this.runs(threadId),
      log: await this.log(threadId),
      history: await this.#history(threadId),
    };
  }

  async metadata(threadId: string): Promise<JsonObject | null> {
    const thread = await this.#get<{ metadata: JsonObject }>(
      `/threads/${threadId}`,
    );
    return thread?.metadata ?? null;
  }

  async log(threadId: string): Promise<string[]> {
    const state = await this.#get<Snapshot>(`/threads/${threadId}/state`);
    return logIn(state?.values ?? null);
  }

  async runs(threadId: string): Promise<FoundRun[]> {
    const runs = await this.#get<
      { run_id: string; status: string; metadata: { op: string } }[]
    >(`/threads/${threadId}/runs?limit=${PAGE}`);
    return (runs ?? []).map(({ run_id, status, metadata }) => ({
      run_id,
      status,
      op: metadata.op,
    }));
  }

  async threadIds(metadata: JsonObject = {}): Promise<Set<string>> {
    return this.#all(async (offset) => {
      const threads = await this.#send<{ thread_id: string }[]>(
        "POST",
        "/threads/search",
        {
          metadata,
          select: ["thread_id"],
          ...{ sort_by: "created_at", limit: PAGE, offset },
        },
      );
      return (threads ?? []).map(({ thread_id }) => [thread_id, null] as const);
    }).then((found) => new Set(found.keys()));
  }

  /** Key -> value of the items in a namespace. */
  items(namespace: string[]): Promise<Map<string, JsonObject>> {
    return this.#all(async (offset) => {
      const found = await this.#send<{
        items: { key: string; value: JsonObject }[];
      }>("POST", "/store/items/search", {
        namespace_prefix: namespace,
        limit: PAGE,
        offset,
      });
      return (found?.items ?? []).map(
        ({ key, value }) => [key, value] as const,
      );
    });
  }

  /** NOTE: only for what nobody changes while it is read in pages. */
  async #all<Value>(
    page: (offset: number) => Promise<(readonly [string, Value])[]>,
  ): Promise<Map<string, Value>> {
    const found = new Map<string, Value>();
    for (let offset = 0; ; offset += PAGE) {
      const some = await page(offset);
      for (const [key, value] of some) found.set(key, value);
      if (some.length < PAGE) return found;
    }
  }

  async #history(threadId: string): Promise<FoundCheckpoint[]> {
    const history = await this.#get<Snapshot[]>(
      `/threads/${threadId}/history?limit=${PAGE}`,
    );
    return (history ?? []).map(({ values, checkpoint, parent_checkpoint }) => ({
      id: checkpoint?.checkpoint_id ?? "",
      parent: parent_checkpoint?.checkpoint_id ?? null,
      log: logIn(values),
    }));
  }

  #get<Body>(path: string): Promise<Body | null> {
    return this.#send<Body>("GET", path);
  }

  async #send<Body>(
    method: string,
    path: string,
    body?: JsonObject,
  ): Promise<Body | null> {
    const response = await this.#server.send(method, path, body);
    const text = await response.text();
    if (response.status === 404) return null;
    if (!response.ok)
      throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as Body;
  }
}
