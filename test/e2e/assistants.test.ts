import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NOBODY, refusal, TIMESTAMP } from "../support/sdk.ts";
import { ALL_GRAPHS, useServer } from "../support/server.ts";

const server = useServer();

const graphs = Object.keys(
  (
    JSON.parse(readFileSync(ALL_GRAPHS, "utf8")) as {
      graphs: Record<string, unknown>;
    }
  ).graphs,
);

/** Fixed by the contract: RemoteGraph and Studio rely on it. */
const AGENT_ID = "fe096781-5601-53d2-b2f6-0d3403f7e9ca";

test("every graph has an assistant, with an id that never changes", async () => {
  const { assistants } = server.client;
  const agent = await assistants.get("agent");
  expect(agent).toMatchObject({
    assistant_id: AGENT_ID,
    graph_id: "agent",
    name: "agent",
    version: 1,
    config: {},
    metadata: { created_by: "system" },
    created_at: expect.stringMatching(TIMESTAMP),
    updated_at: expect.stringMatching(TIMESTAMP),
  });
  expect(await assistants.get(AGENT_ID)).toEqual(agent);
  await server.restart();
  expect(await server.client.assistants.get("agent")).toEqual(agent);
});

test("assistants are found by graph, by a part of their name, by metadata", async () => {
  const { assistants } = server.client;
  const names = async (query: Parameters<typeof assistants.search>[0]) =>
    ((await assistants.search(query)) as { name: string }[])
      .map(({ name }) => name)
      .sort();
  expect(await names({ limit: 100 })).toEqual([...graphs].sort());
  expect(await names({ graphId: "trip" })).toEqual(["trip"]);
  expect(await names({ name: "APPROVAL" })).toEqual([
    "approval",
    "parallel-approvals",
  ]);
  expect(
    await names({ metadata: { created_by: "system" }, limit: 2 }),
  ).toHaveLength(2);
  expect(await names({ metadata: { created_by: "me" } })).toEqual([]);
  const page = await assistants.search({ limit: 4, includePagination: true });
  expect(page).toMatchObject({ next: "4" });
});

test("assistants are counted as a bare number", async () => {
  const { assistants } = server.client;
  expect(await assistants.count()).toBe(graphs.length);
  expect(await assistants.count({ graphId: "trip" })).toBe(1);
  expect(await assistants.count({ name: "approv" })).toBe(2);
});

test("the graph is drawn with its nodes and edges", async () => {
  const drawn = (await server.client.assistants.getGraph("approval")) as {
    nodes: { id: string; type: string }[];
    edges: { source: string; target: string; conditional?: boolean }[];
  };
  expect(drawn.nodes.map(({ id }) => id).sort()).toEqual([
    "__end__",
    "__start__",
    "approve",
    "send",
    "write",
  ]);
  expect(drawn.nodes.find(({ id }) => id === "__start__")?.type).toBe("schema");
  expect(drawn.edges).toContainEqual(
    expect.objectContaining({ source: "write", target: "approve" }),
  );
  expect(drawn.edges).toContainEqual(
    expect.objectContaining({
      source: "approve",
      target: "send",
      conditional: true,
    }),
  );
});

test("xray draws what is inside of a subgraph", async () => {
  const idsOf = async (xray: boolean | number) => {
    const { nodes } = await server.client.assistants.getGraph("trip", { xray });
    return nodes.map(({ id }) => String(id));
  };
  expect(await idsOf(false)).toContain("booking");
  expect(await idsOf(true)).toEqual(
    expect.arrayContaining(["booking:search", "booking:book"]),
  );
  expect(await idsOf(1)).toEqual(
    expect.arrayContaining(["booking:search", "booking:book"]),
  );
});

test("subgraphs are listed with their schemas, under both sets of keys", async () => {
  const { assistants } = server.client;
  const found = await assistants.getSubgraphs("trip", { recurse: true });
  expect(Object.keys(found)).toEqual(["booking"]);
  const booking = found["booking"] as unknown as Record<string, unknown>;
  for (const key of ["input", "output", "state", "config"])
    expect(booking).toHaveProperty(key);
  expect(booking["state_schema"]).toMatchObject({
    type: "object",
    properties: { city: { type: "string" }, train: { type: "string" } },
  });
  expect(
    Object.keys(
      await assistants.getSubgraphs("trip", { namespace: "booking" }),
    ),
  ).toEqual(["booking"]);
  expect(await assistants.getSubgraphs("approval")).toEqual({});
});

test("schemas come from zod and from annotations alike", async () => {
  const { assistants } = server.client;
  const zod = await assistants.getSchemas("fan-out");
  expect(zod.graph_id).toBe("fan-out");
  expect(zod.state_schema).toMatchObject({
    properties: {
      text: { type: "string" },
      lengths: { type: "array", items: { type: "number" } },
    },
  });
  const annotation = await assistants.getSchemas("approval");
  expect(annotation.state_schema).toMatchObject({
    properties: {
      to: { type: "string" },
      approved: { type: "boolean" },
      log: { type: "array", items: { type: "string" } },
    },
  });
  expect(annotation.input_schema).toHaveProperty("properties.to");
  expect(annotation.output_schema).toHaveProperty("properties.letter");
  const messages = await assistants.getSchemas("agent");
  expect(messages.input_schema).toHaveProperty("properties.messages");
}, 60_000);

test("an assistant that does not exist is not found by any method", async () => {
  const { assistants } = server.client;
  const requests = ["nobody", NOBODY].flatMap((id) => [
    assistants.get(id),
    assistants.getGraph(id),
    assistants.getSchemas(id),
    assistants.getSubgraphs(id),
  ]);
  for (const { status } of await Promise.all(requests.map(refusal)))
    expect(status).toBe(404);
});

test("what cannot be searched for is refused", async () => {
  for (const body of [{ limit: 0 }, { offset: -1 }, { select: ["secret"] }]) {
    const answer = await server.send("POST", "/assistants/search", body);
    expect([body, answer.status]).toEqual([body, 422]);
  }
});
