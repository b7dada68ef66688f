/** What is left of a graph that langgraph.json does not have any more. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { refusal } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
import { waitFor } from "../support/wait.ts";

const GRAPH = `
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
const State = Annotation.Root({ said: Annotation<string> });
export const graph = new StateGraph(State)
  .addNode("say", () => ({ said: "hello" }))
  .addEdge(START, "say").addEdge("say", END)
  .compile();
`;

const projectWith = (...graphs: string[]) =>
  JSON.stringify({
    graphs: Object.fromEntries(graphs.map((id) => [id, "./graph.ts:graph"])),
  });

async function serverThatLosesAGraph() {
  const project = temporaryProject({
    "langgraph.json": projectWith("kept", "gone"),
    "graph.ts": GRAPH,
  });
  onTestFinished(() => project[Symbol.dispose]());
  const config = join(project.root, "langgraph.json");
  const server = await startServer({ config, workers: 1 });
  const lose = async () => {
    writeFileSync(config, projectWith("kept"));
    await server.restart();
  };
  return { server, lose };
}

const GONE = {
  status: 404,
  detail: expect.stringMatching(/^Graph "gone" not found: langgraph\.json/),
};

test("its assistants are shown, changed to another graph and deleted, and not run", async () => {
  const { server, lose } = await serverThatLosesAGraph();
  const { assistants, runs } = server.client;
  const made = await assistants.create({ graphId: "gone", name: "mine" });
  await lose();
  const { assistant_id } = made;
  expect(await assistants.get(assistant_id)).toEqual(made);
  expect(await assistants.search({ graphId: "gone" })).toEqual([made]);
  expect(await assistants.getVersions(assistant_id)).toHaveLength(1);

  const { thread_id } = await server.client.threads.create();
  expect(await refusal(runs.create(thread_id, assistant_id))).toEqual(GONE);
  expect(await refusal(runs.wait(null, assistant_id))).toEqual(GONE);
  const batch = await server.send("POST", "/runs/batch", [
    { assistant_id: "kept" },
    { assistant_id },
  ]);
  expect([batch.status, await batch.json()]).toEqual([
    404,
    { detail: GONE.detail },
  ]);
  expect(await server.client.threads.get(thread_id)).toMatchObject({
    status: "idle",
  });
  // By the name of the graph there is no assistant: the server's own went with it.
  const byName = await refusal(runs.create(thread_id, "gone"));
  expect(byName).toMatchObject({
    status: 404,
    detail: expect.stringContaining('No assistant found for "gone"'),
  });
  for (const what of ["graph", "schemas", "subgraphs"]) {
    const answer = await server.fetch(`/assistants/${assistant_id}/${what}`);
    expect([what, answer.status, await answer.json()]).toEqual([
      what,
      404,
      { detail: expect.stringContaining("gone") },
    ]);
  }
  await assistants.update(assistant_id, { graphId: "kept" });
  expect(await runs.wait(null, assistant_id, { input: {} })).toEqual({
    said: "hello",
  });
  await assistants.delete(assistant_id);
  expect((await refusal(assistants.get(assistant_id))).status).toBe(404);
});

test("its threads are there, and a run of it that waited fails and says why", async () => {
  const { server, lose } = await serverThatLosesAGraph();
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "gone", { input: {} });
  const { run_id } = await runs.create(thread_id, "gone", {
    input: {},
    afterSeconds: 5,
  });
  await lose();
  expect(await threads.get(thread_id)).toMatchObject({
    values: { said: "hello" },
  });
  await waitFor("the run has failed", async () => {
    const { status } = await runs.get(thread_id, run_id);
    return status === "error";
  });
  expect(await threads.get(thread_id)).toMatchObject({
    status: "error",
    values: { said: "hello" },
    error: { message: expect.stringContaining("gone") },
  });
  const state = await refusal(threads.getState(thread_id));
  expect(state).toMatchObject({
    status: 404,
    detail: expect.stringContaining("gone"),
  });
  // And the thread can be taken up by another graph.
  expect(await runs.wait(thread_id, "kept", { input: {} })).toEqual({
    said: "hello",
  });
});
