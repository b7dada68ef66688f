import type { JsonObject } from "../../src/lib/json.ts";
import type { Operation } from "../support/ledger-entries.ts";

/** Where the items are that clients put themselves. The graph's are in `chaos.entries`. */
export const CLIENT_ITEMS = ["chaos", "clients"];
export const GRAPH_ITEMS = ["chaos", "entries"];

/** How long a step of a run takes. */
const STEP_MS = 12;

interface LoadRequest {
  method: string;
  path: string;
  body?: JsonObject;
}

/** The HTTP request that asks for the operation. */
export function requestFor(operation: Operation, op: string): LoadRequest {
  switch (operation.kind) {
    case "create":
      return { method: "POST", path: "/threads", body: creation(operation) };
    case "update":
      return onThread("POST", operation.thread, "/state", {
        values: { log: [operation.entry] },
        as_node: "work",
      });
    case "patch":
      return onThread("PATCH", operation.thread, "", {
        metadata: operation.metadata,
      });
    case "copy":
      return onThread("POST", operation.thread, "/copy");
    case "delete":
      return onThread("DELETE", operation.thread, "");
    case "run":
      return runRequest(operation, op);
    case "put":
      return onItems("PUT", { key: operation.key, value: operation.value });
    case "remove":
      return onItems("DELETE", { key: operation.key });
  }
}

const onThread = (
  method: string,
  thread: string,
  path: string,
  body?: JsonObject,
): LoadRequest => ({
  method,
  path: `/threads/${thread}${path}`,
  ...(body === undefined ? {} : { body }),
});

const onItems = (method: string, item: JsonObject): LoadRequest => ({
  method,
  path: "/store/items",
  body: { namespace: CLIENT_ITEMS, ...item },
});

const creation = ({
  thread,
  metadata,
  log,
}: Extract<Operation, { kind: "create" }>): JsonObject => ({
  thread_id: thread,
  metadata,
  ...(log.length === 0
    ? {}
    : {
        supersteps: log.map((entry) => ({
          updates: [{ values: { log: [entry] }, as_node: "work" }],
        })),
      }),
});

function runRequest(
  run: Extract<Operation, { kind: "run" }>,
  op: string,
): LoadRequest {
  const way = run.mode === "background" ? "" : `/${run.mode}`;
  return onThread("POST", run.thread, `/runs${way}`, {
    assistant_id: "journal",
    input: {
      run: op,
      steps: run.entries.length - 1,
      ms: STEP_MS,
      file: run.notes,
      log: run.entries.slice(0, 1),
    },
    metadata: { op },
    durability: run.durability,
    stream_mode: ["updates"],
    multitask_strategy: "enqueue",
    on_disconnect: "continue",
  });
}
