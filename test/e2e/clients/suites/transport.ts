import type { ClientConfig } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { FaultyProxy } from "../../../support/faulty-proxy.ts";
import { collect, dataOf, NOBODY } from "../../../support/sdk.ts";
import { expectRefused, type Driven } from "./driven.ts";

/** How the client speaks HTTP: section 10 of the matrix. Not methods, so nothing here is recorded. */
export function transportSuite(driven: Driven): void {
  /** A client, and what it sends. */
  const watched = (config: ClientConfig = {}) => {
    const requests: { url: URL; headers: Headers }[] = [];
    const client = driven.unrecorded({
      apiUrl: driven.server.url,
      onRequest: (url, init) => {
        requests.push({ url, headers: new Headers(init.headers) });
        return init;
      },
      ...config,
    });
    return { client, requests };
  };

  describe("transport", () => {
    test("the server is the one that the process names, when there is no address", async () => {
      const symbol = Symbol.for("langgraph_api:url");
      const globals = globalThis as Record<symbol, unknown>;
      globals[symbol] = driven.server.url;
      try {
        const { assistants } = driven.unrecorded();
        expect(await assistants.get("agent")).toMatchObject({ name: "agent" });
      } finally {
        delete globals[symbol];
      }
    });

    test("a slash at the end of the address does no harm", async () => {
      const { client } = watched({ apiUrl: `${driven.server.url}/` });
      expect(await client.assistants.count()).toBeGreaterThan(0);
    });

    test("keys and headers are sent, and disturb nobody", async () => {
      const given = watched({
        apiKey: "secret",
        defaultHeaders: { "x-team": "blue" },
      });
      await given.client.assistants.get("agent");
      expect(given.requests[0]?.headers.get("x-api-key")).toBe("secret");
      expect(given.requests[0]?.headers.get("x-team")).toBe("blue");
      vi.stubEnv("LANGGRAPH_API_KEY", "from the environment");
      const { client, requests } = watched();
      vi.unstubAllEnvs();
      await client.assistants.get("agent");
      expect(requests[0]?.headers.get("x-api-key")).toBe(
        "from the environment",
      );
    });

    test("lists in a query are understood as this version writes them", async () => {
      const { client, requests } = watched();
      const { thread_id } = await client.threads.create();
      const input = { text: "a" };
      await client.runs.wait(thread_id, "fan-out", { input });
      const select = ["status", "thread_id"] as never;
      expect(await client.runs.list(thread_id, { select })).toEqual([
        { status: "success", thread_id },
      ]);
      expect(requests.at(-1)?.url.searchParams.getAll("select")).toEqual(
        driven.isNewest ? select : ['["status","thread_id"]'],
      );
    });

    test("an id with a slash is a segment of the path, or a path that is not there", async () => {
      const { client } = watched();
      await expectRefused(
        client.assistants.get("a/b"),
        404,
        driven.isNewest ? /assistant/i : "Not found: GET /assistants/a/b",
      );
    });

    test("many calls at once are all answered", async () => {
      const { client } = watched({ callerOptions: { maxConcurrency: 50 } });
      const threads = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          client.threads.create({ metadata: { n } }),
        ),
      );
      expect(threads.map(({ metadata }) => metadata?.["n"])).toEqual(
        Array.from({ length: 100 }, (_, n) => n),
      );
    });
  });

  describe("transport over a bad network", () => {
    let proxy: FaultyProxy;
    beforeAll(async () => {
      proxy = await FaultyProxy.open(driven.server.url);
    });
    afterAll(() => proxy.close());

    const behind = (config: ClientConfig = {}) =>
      driven.unrecorded({ apiUrl: proxy.url, ...config });
    const requestsTo = (path: string) =>
      proxy.requests.filter(({ line }) => line.endsWith(path));

    test("a read is repeated", async () => {
      proxy.answerNext(503);
      const { assistants } = behind();
      expect(await assistants.get("agent")).toMatchObject({ name: "agent" });
      expect(requestsTo("GET /assistants/agent")).toHaveLength(2);
      await expectRefused(behind().threads.get(NOBODY), 404);
      expect(requestsTo(`GET /threads/${NOBODY}`)).toHaveLength(1);
    });

    test("a write is repeated by 2.0.0 alone", async () => {
      proxy.answerNext(503);
      const created = behind().threads.create();
      if (driven.isNewest) await expect(created).rejects.toThrow("HTTP 503");
      else expect(await created).toMatchObject({ status: "idle" });
      expect(requestsTo("POST /threads")).toHaveLength(driven.isNewest ? 1 : 2);
    });

    test("timeoutMs gives up on a server that does not answer", async () => {
      proxy.holdNext();
      const { assistants } = behind({
        timeoutMs: 100,
        callerOptions: { maxRetries: 0 },
      });
      await expect(assistants.get("agent")).rejects.toThrow(/timeout/i);
    });

    test("a stream whose connection breaks goes on where it was, without a gap", async () => {
      const { threads, runs } = behind();
      const { thread_id } = await threads.create();
      proxy.cutAfter(3);
      const frames = await collect(
        runs.stream(thread_id, "slow", {
          input: { steps: 5, seconds: 0.05 },
          streamMode: ["custom"],
          streamResumable: true,
        }),
      );
      expect(dataOf(frames, "custom")).toEqual(
        [1, 2, 3, 4, 5].map((n) => ({ progress: `step ${n} of 5` })),
      );
      expect(frames.at(-1)).toMatchObject({
        event: "end",
        data: { status: "success" },
      });
      const [first, second] = proxy.requests.slice(-2);
      expect(first?.line).toBe(`POST /threads/${thread_id}/runs/stream`);
      expect(second?.line).toMatch(
        /^GET \/threads\/[^/]+\/runs\/[^/]+\/stream/,
      );
      expect(second?.lastEventId).toBe(frames[2]?.id);
    });
  });
}
