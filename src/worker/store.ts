import {
  BaseStore,
  InvalidNamespaceError,
  type Operation,
  type OperationResults,
  type SearchItem,
} from "@langchain/langgraph-checkpoint";
import type { JsonObject } from "../lib/json.ts";
import { isStorable, STORABLE } from "../lib/storable.ts";
import type {
  StoreItem,
  StoreOperation,
  StoreResult,
} from "../protocol/store-frames.ts";
import type { ServerPeer } from "./context.ts";

const DEFAULT_LIMIT = 10;
const DEFAULT_NAMESPACES_LIMIT = 100;

interface Call {
  operations: StoreOperation[];
  resolve(results: StoreResult[]): void;
  reject(reason: unknown): void;
}

/** LangGraph's store over the pipe. The calls of one turn of the event loop go as one request, in their order. */
export class SpoolStore extends BaseStore {
  readonly #peer: ServerPeer;
  #calls: Call[] = [];

  constructor(peer: ServerPeer) {
    super();
    this.#peer = peer;
  }

  /** Reads see what was there before the puts of the same batch, as in LangGraph's own stores. */
  override async batch<Op extends Operation[]>(
    operations: Op,
  ): Promise<OperationResults<Op>> {
    const encoded = operations.map((operation, index) => ({
      index,
      operation: encode(operation),
    }));
    const isPut = ({ operation }: (typeof encoded)[number]) =>
      operation.op === "put";
    const ordered = [
      ...encoded.filter((one) => !isPut(one)),
      ...encoded.filter(isPut),
    ];
    const answers = await this.#ask(ordered.map(({ operation }) => operation));
    const results = ordered.map(({ index, operation }, at) => ({
      index,
      result: decode(operation, answers[at] ?? null),
    }));
    return results
      .sort((a, b) => a.index - b.index)
      .map(({ result }) => result) as OperationResults<Op>;
  }

  #ask(operations: StoreOperation[]): Promise<StoreResult[]> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ operations, resolve, reject });
      if (this.#calls.length === 1) setImmediate(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    const calls = this.#calls;
    this.#calls = [];
    try {
      const results = await this.#peer.request("store.batch", {
        operations: calls.flatMap((call) => call.operations),
      });
      let start = 0;
      for (const call of calls) {
        const end = start + call.operations.length;
        call.resolve(results.slice(start, end));
        start = end;
      }
    } catch (cause) {
      for (const call of calls) call.reject(cause);
    }
  }
}

/** Throws for the caller alone whatever the server would refuse for all that share the request. */
function encode(operation: Operation): StoreOperation {
  if ("namespacePrefix" in operation) {
    const { namespacePrefix, filter, query } = operation;
    return {
      op: "search",
      namespace_prefix: labels(namespacePrefix),
      limit: operation.limit ?? DEFAULT_LIMIT,
      offset: operation.offset ?? 0,
      ...(filter === undefined ? {} : { filter: plain(filter) }),
      ...(query === undefined ? {} : { query }),
    };
  }
  if (!("key" in operation)) return encodeListing(operation);
  const { key } = operation;
  const namespace = labels(operation.namespace);
  if (namespace.length === 0)
    throw new InvalidNamespaceError("Namespace cannot be empty.");
  if (!isStorable(key))
    throw new Error(`a key of a store item ${STORABLE}: '${key}'`);
  if (!("value" in operation)) return { op: "get", namespace, key };
  const { value, index } = operation;
  return {
    op: "put",
    namespace,
    key,
    value: value === null ? null : plain(value),
    ...(index === undefined ? {} : { index }),
  };
}

function encodeListing(
  operation: Extract<Operation, { matchConditions?: unknown }>,
): StoreOperation {
  const { matchConditions = [], maxDepth } = operation;
  const paths = (type: "prefix" | "suffix") => {
    const found = matchConditions.filter(({ matchType }) => matchType === type);
    if (found.length > 1)
      throw new Error(
        `namespaces can be listed by one ${type}, not by several`,
      );
    return found.map(({ path }) => labels(path));
  };
  const [prefix] = paths("prefix");
  const [suffix] = paths("suffix");
  return {
    op: "listNamespaces",
    limit: operation.limit ?? DEFAULT_NAMESPACES_LIMIT,
    offset: operation.offset ?? 0,
    ...(prefix === undefined ? {} : { prefix }),
    ...(suffix === undefined ? {} : { suffix }),
    ...(maxDepth === undefined ? {} : { max_depth: maxDepth }),
  };
}

function labels(namespace: readonly string[]): string[] {
  for (const label of namespace) {
    if (typeof label !== "string" || label === "" || label.includes("."))
      throw new InvalidNamespaceError(
        `Invalid namespace label '${label}' found in ${namespace.join()}. Namespace labels must be texts, not empty and without periods ('.').`,
      );
    if (!isStorable(label))
      throw new InvalidNamespaceError(
        `Invalid namespace label '${label}': it ${STORABLE}.`,
      );
  }
  return [...namespace];
}

/** As it is now, and as JSON has it: the caller may change the object before it is sent. */
function plain(value: object): JsonObject {
  const copy = JSON.parse(JSON.stringify(value)) as unknown;
  if (typeof copy !== "object" || copy === null || Array.isArray(copy))
    throw new TypeError("a store item must be an object that JSON can say");
  return copy as JsonObject;
}

function decode(operation: StoreOperation, result: StoreResult): unknown {
  switch (operation.op) {
    case "get":
      return result === null ? null : asItem(result as StoreItem);
    case "search":
      return (result as StoreItem[]).map(asItem);
    case "listNamespaces":
      return result;
    case "put":
      return undefined;
  }
}

const asItem = (item: StoreItem): SearchItem => ({
  namespace: item.namespace,
  key: item.key,
  value: item.value,
  createdAt: new Date(item.created_at),
  updatedAt: new Date(item.updated_at),
  ...(item.score == null ? {} : { score: item.score }),
});
