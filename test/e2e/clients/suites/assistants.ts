import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { NOBODY, UUID } from "../../../support/sdk.ts";
import { expectAborted, expectRefused, type Driven } from "./driven.ts";

const missing = /No assistant found for|not found/;

/** A1 to A12. */
export function assistantSuite(driven: Driven): void {
  const { assistants } = lazy(driven);
  describe("assistants", () => {
    test("create", async () => {
      const assistantId = randomUUID();
      const given = {
        graphId: "approval",
        assistantId,
        config: { tags: ["a"], recursion_limit: 10, configurable: { who: 1 } },
        metadata: { team: "blue" },
        name: "Letters",
        description: "Writes letters",
      };
      const created = await assistants().create(given);
      expect(created).toMatchObject({
        assistant_id: assistantId,
        graph_id: "approval",
        config: given.config,
        metadata: given.metadata,
        name: "Letters",
        description: "Writes letters",
        version: 1,
      });
      await expectRefused(
        assistants().create(given),
        409,
        "Assistant already exists",
      );
      const again = { ...given, name: "Other" };
      expect(
        await assistants().create({ ...again, ifExists: "do_nothing" }),
      ).toEqual(created);
      const context = { tone: "kind" };
      expect(
        await assistants().create({ graphId: "approval", context }),
      ).toMatchObject({ context, name: "Untitled" });
      await expectRefused(
        assistants().create({ graphId: "nobody" }),
        404,
        /nobody/,
      );
      await expectAborted((options) =>
        assistants().create({ graphId: "approval", ...options }),
      );
    });

    test("get", async () => {
      const agent = await assistants().get("agent");
      expect(agent.assistant_id).toMatch(UUID);
      expect(await assistants().get(agent.assistant_id)).toEqual(agent);
      await expectRefused(assistants().get(NOBODY), 404, missing);
      await expectAborted((options) => assistants().get("agent", options));
    });

    test("update, getVersions, setLatest", async () => {
      const { assistant_id } = await assistants().create({
        graphId: "approval",
        metadata: { a: 1 },
        name: "First",
      });
      const updated = await assistants().update(assistant_id, {
        graphId: "fan-out",
        config: { tags: ["b"] },
        metadata: { b: 2 },
        name: "Second",
        description: "Counts letters",
      });
      expect(updated).toMatchObject({
        graph_id: "fan-out",
        version: 2,
        config: { tags: ["b"] },
        metadata: { a: 1, b: 2 },
        name: "Second",
        description: "Counts letters",
      });
      const context = { tone: "terse" };
      expect(
        await assistants().update(assistant_id, { context }),
      ).toMatchObject({ version: 3, context });
      await expectRefused(assistants().update(NOBODY, {}), 404, missing);

      const versions = async (
        query?: Parameters<typeof driven.client.assistants.getVersions>[1],
      ) =>
        (await assistants().getVersions(assistant_id, query)).map(
          ({ version }) => version,
        );
      expect(await versions()).toEqual([3, 2, 1]);
      expect(await versions({ limit: 1, offset: 1 })).toEqual([2]);
      expect(await versions({ metadata: { b: 2 } })).toEqual([3, 2]);
      await expectRefused(assistants().getVersions(NOBODY), 404, missing);

      expect(await assistants().setLatest(assistant_id, 1)).toMatchObject({
        version: 1,
        graph_id: "approval",
        name: "First",
        metadata: { a: 1 },
      });
      await expectRefused(
        assistants().setLatest(assistant_id, 9),
        404,
        /version/i,
      );
      await expectAborted((options) =>
        assistants().update(assistant_id, { metadata: {}, ...options }),
      );
      await expectAborted((options) =>
        assistants().setLatest(assistant_id, 1, options),
      );
    });

    test("search and count", async () => {
      const metadata = { batch: randomUUID() };
      for (const name of ["Alpha", "Beta", "Gamma"])
        await assistants().create({ graphId: "trip", metadata, name });
      const namesOf = (found: unknown) =>
        (found as { name: string }[]).map(({ name }) => name);
      const sorted = { sortBy: "name", sortOrder: "asc" } as const;
      expect(
        namesOf(await assistants().search({ metadata, ...sorted })),
      ).toEqual(["Alpha", "Beta", "Gamma"]);
      const paged = { metadata, ...sorted, limit: 2, offset: 1 };
      expect(namesOf(await assistants().search(paged))).toEqual([
        "Beta",
        "Gamma",
      ]);
      const page = await assistants().search({
        metadata,
        ...sorted,
        limit: 2,
        includePagination: true,
      });
      expect(page.next).toBe("2");
      expect(namesOf(page.assistants)).toEqual(["Alpha", "Beta"]);
      const filtered = { metadata, graphId: "trip", name: "ET" };
      expect(namesOf(await assistants().search(filtered))).toEqual(["Beta"]);
      expect(
        await assistants().search({ ...filtered, select: ["name"] }),
      ).toEqual([{ name: "Beta" }]);
      await expectRefused(assistants().search({ limit: 0 }), 422, /^limit: /);

      expect(await assistants().count({ metadata })).toBe(3);
      expect(await assistants().count(filtered)).toBe(1);
      await expectRefused(
        assistants().count({ metadata: [] as never }),
        422,
        /^metadata: /,
      );
      await expectAborted((options) => assistants().search(options));
    });

    test("getGraph, getSchemas, getSubgraphs", async () => {
      const nodes = async (xray?: boolean | number) => {
        const options = xray === undefined ? undefined : { xray };
        const graph = await assistants().getGraph("trip", options);
        return graph.nodes.map(({ id }) => id);
      };
      expect(await nodes()).toContain("booking");
      expect(await nodes(true)).toContain("booking:search");
      expect(await nodes(1)).toContain("booking:search");
      expect(await assistants().getSchemas("trip")).toMatchObject({
        graph_id: "trip",
        state_schema: { properties: { city: { type: "string" } } },
      });
      const all = await assistants().getSubgraphs("trip", { recurse: true });
      expect(Object.keys(all)).toEqual(["booking"]);
      const namespace = "booking";
      expect(await assistants().getSubgraphs("trip", { namespace })).toEqual(
        all,
      );
      await expectRefused(assistants().getGraph(NOBODY), 404, missing);
      await expectRefused(assistants().getSchemas(NOBODY), 404, missing);
      await expectRefused(assistants().getSubgraphs(NOBODY), 404, missing);
    });

    test("delete, with and without the threads", async () => {
      const { client } = driven;
      const { threads, runs } = client;
      const assistantWithThread = async () => {
        const { assistant_id } = await assistants().create({
          graphId: "fan-out",
        });
        const { thread_id } = await threads.create();
        await runs.wait(thread_id, assistant_id, { input: { text: "a" } });
        return { assistant_id, thread_id };
      };
      const kept = await assistantWithThread();
      await assistants().delete(kept.assistant_id);
      await expectRefused(assistants().get(kept.assistant_id), 404, missing);
      expect(await threads.get(kept.thread_id)).toMatchObject({
        status: "idle",
      });
      const gone = await assistantWithThread();
      await assistants().delete(gone.assistant_id, { deleteThreads: true });
      await expectRefused(threads.get(gone.thread_id), 404);
      await expectRefused(assistants().delete(NOBODY), 404, missing);
    });
  });
}

/** The server has no address before its tests run. */
const lazy = (driven: Driven) => ({
  assistants: () => driven.client.assistants,
});
