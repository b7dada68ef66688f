import { join } from "node:path";
import { Running, SPOOL, type Contender } from "./contender.ts";
import { Connections, load, type Latencies, type Request } from "./load.ts";

/** Semantic search in the store, which the dev server does not have. Milliseconds. */
export interface SearchProfile {
  items: number;
  /** Puts of items that are embedded, 32 at once. */
  putsPerSecond: number;
  /** The ten that are most alike, one search at a time. */
  top10: Latencies;
  /** The same in one of a hundred namespaces. */
  inNamespace: Latencies;
  /** `GET /store/items` meanwhile: what searching costs others. */
  getBeside: Latencies;
}

const WITH_INDEX: Contender = {
  ...SPOOL,
  argv: (port, project) =>
    SPOOL.argv(port, join(project, "langgraph.search.json")),
};

const NAMESPACES = 100;
const WORDS = 20_000;

export async function searchProfileOf(
  { items, seconds }: { items: number; seconds: number },
  say: (line: string) => void,
): Promise<SearchProfile> {
  const server = await Running.start(WITH_INDEX);
  try {
    await using many = new Connections(server.url, 32);
    await using one = new Connections(server.url, 1);
    await using other = new Connections(server.url, 1);
    say(`filling the store with ${items} items`);
    const puts = await load(many, put, { seconds: 1200, count: items });
    // The first searches find no copy of the vectors, and make one.
    await load(one, search([]), { seconds: 8 });
    const top10 = await load(one, search([]), { seconds });
    const inNamespace = await load(one, search(["docs", "n7"]), { seconds });
    const [, getBeside] = await Promise.all([
      load(one, search([]), { seconds }),
      load(other, get(items), { seconds }),
    ]);
    const profile = {
      items,
      putsPerSecond: puts.perSecond,
      ...{ top10, inNamespace, getBeside },
    };
    say(`${SPOOL.name} | ${JSON.stringify(profile)}`);
    return profile;
  } finally {
    await server.stop();
  }
}

const addressOf = (index: number) => ({
  namespace: ["docs", `n${index % NAMESPACES}`],
  key: `k${index}`,
});

const put = (index: number): Request => ({
  method: "PUT",
  path: "/store/items",
  body: { ...addressOf(index), value: { text: words(12), n: index } },
});

const search = (namespace_prefix: string[]) => (): Request => ({
  method: "POST",
  path: "/store/items/search",
  body: { namespace_prefix, query: words(6), limit: 10 },
});

const get = (items: number) => (): Request => {
  const { namespace, key } = addressOf(Math.floor(Math.random() * items));
  return {
    method: "GET",
    path: `/store/items?namespace=${namespace.join(".")}&key=${key}`,
  };
};

const words = (count: number): string =>
  Array.from(
    { length: count },
    () => `word${Math.floor(Math.random() * WORDS)}`,
  ).join(" ");
