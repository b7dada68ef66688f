import { randomUUID } from "node:crypto";
import type { Connections, Request } from "./load.ts";

export interface Case {
  name: string;
  /** The ratio to the peer's throughput at concurrency 32 that we mean to reach. */
  target?: number;
  /** Measured on a store that holds this many threads: `--threads`. */
  isCrowded?: boolean;
  /** Makes what the requests need; returns the request number `index`. */
  prepare(api: Connections): Promise<(index: number) => Request>;
}

const post = (path: string, body: unknown = {}): Request => ({
  method: "POST",
  path,
  body,
});
const get = (path: string): Request => ({ method: "GET", path });

interface Made {
  thread_id: string;
}

/** Supersteps that leave a conversation of as many messages behind. */
const supersteps = (messages: number) =>
  Array.from({ length: messages }, (_, index) => ({
    updates: [
      {
        as_node: index % 2 === 0 ? "__start__" : "answer",
        values: { messages: [message(index)] },
      },
    ],
  }));

const message = (index: number) => ({
  role: index % 2 === 0 ? "user" : "assistant",
  content: `Message ${index}: ${"and so it went on ".repeat(8)}`,
});

/** Requests take turns on as many threads as this, so that none of them waits for another. */
const THREADS = 64;

async function makeThreads(
  api: Connections,
  messages: number,
  count = THREADS,
): Promise<string[]> {
  const ids: string[] = [];
  const body = {
    metadata: { graph_id: "chat" },
    ...(messages > 0 ? { supersteps: supersteps(messages) } : {}),
  };
  while (ids.length < count)
    ids.push((await api.json<Made>(post("/threads", body))).thread_id);
  return ids;
}

const inTurn =
  (ids: readonly string[], request: (id: string, index: number) => Request) =>
  (index: number) =>
    request(ids[index % ids.length] ?? "", index);

const THREAD_CASES: Case[] = [
  {
    name: "thread create",
    target: 1.5,
    prepare: async () => () => post("/threads", { metadata: { user: "ada" } }),
  },
  {
    name: "thread get",
    target: 1.5,
    prepare: async (api) =>
      inTurn(await makeThreads(api, 0), (id) => get(`/threads/${id}`)),
  },
  {
    name: "thread create, 3 supersteps",
    target: 3,
    prepare: async () => () =>
      post("/threads", {
        metadata: { graph_id: "chat" },
        supersteps: supersteps(3),
      }),
  },
  {
    name: "state get",
    target: 1.5,
    prepare: async (api) =>
      inTurn(await makeThreads(api, 3), (id) => get(`/threads/${id}/state`)),
  },
  {
    name: "state update",
    target: 3,
    prepare: async (api) =>
      inTurn(await makeThreads(api, 1), (id, index) =>
        post(`/threads/${id}/state`, {
          values: { messages: [message(index)] },
          as_node: "answer",
        }),
      ),
  },
  {
    name: "history of 10, 50 checkpoints",
    target: 5,
    prepare: async (api) =>
      inTurn(await makeThreads(api, 50, 8), (id) =>
        post(`/threads/${id}/history`, { limit: 10 }),
      ),
  },
  {
    name: "thread copy, 50 checkpoints",
    target: 5,
    prepare: async (api) =>
      inTurn(await makeThreads(api, 50, 8), (id) =>
        post(`/threads/${id}/copy`),
      ),
  },
];

const item = (index: number) => ({
  namespace: ["users", String(index % 50)],
  key: `note-${index % 2000}`,
  value: { text: "likes short answers", index },
});

const STORE_CASES: Case[] = [
  {
    name: "store put",
    target: 1.5,
    prepare: async () => (index) => ({
      method: "PUT",
      path: "/store/items",
      body: item(index),
    }),
  },
  {
    name: "store get",
    target: 1.5,
    prepare: async (api) => {
      for (let index = 0; index < 2000; index += 1)
        await api.send(0, {
          method: "PUT",
          path: "/store/items",
          body: item(index),
        });
      return (index) => {
        const { namespace, key } = item(index);
        return get(`/store/items?namespace=${namespace.join(".")}&key=${key}`);
      };
    },
  },
];

/** The input of every run that is measured. */
export const RUN_INPUT = { text: "hello", count: 0 };

export const waitOnFreshThread = (): Request =>
  post(`/threads/${randomUUID()}/runs/wait`, {
    assistant_id: "one-node",
    input: RUN_INPUT,
    if_not_exists: "create",
  });

const RUN_CASES: Case[] = [
  {
    name: "runs/wait, fresh threads",
    target: 5,
    prepare: async () => waitOnFreshThread,
  },
  {
    name: "runs/wait, stateless",
    prepare: async () => () =>
      post("/runs/wait", { assistant_id: "one-node", input: RUN_INPUT }),
  },
];

/** One in so many threads of a crowded store has the rare value. */
const RARE = 10_000;

/** Number `index` of the threads that fill a crowded store. */
export const crowd = (index: number): Request =>
  post("/threads", {
    metadata: {
      graph_id: "one-node",
      team: index % 2 === 0 ? "common" : "other",
      ...(index % RARE === 0 ? { flag: "rare" } : {}),
    },
  });

const search = (name: string, body: object): Case => ({
  name: `search, ${name}`,
  target: 100,
  isCrowded: true,
  prepare: async () => () => post("/threads/search", { limit: 10, ...body }),
});

const CROWDED_CASES: Case[] = [
  search("status, common", { status: "idle" }),
  search("status, absent", { status: "error" }),
  search("metadata, common", { metadata: { team: "common" } }),
  search("metadata, rare", { metadata: { flag: "rare" } }),
  search("metadata, absent", { metadata: { flag: "none" } }),
  {
    name: "runs/wait, crowded store",
    isCrowded: true,
    prepare: async () => waitOnFreshThread,
  },
];

export const CASES: readonly Case[] = [
  ...THREAD_CASES,
  ...STORE_CASES,
  ...RUN_CASES,
  ...CROWDED_CASES,
];
