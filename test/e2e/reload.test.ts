import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { collect, dataOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";
import { temporaryProject } from "../support/temporary-project.ts";
import { waitFor } from "../support/wait.ts";

/** Says `word` after two steps, the first of which takes `ms`. */
const graph = (word: string) => `
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { setTimeout as delay } from "node:timers/promises";
const State = Annotation.Root({ ms: Annotation<number>, said: Annotation<string> });
export const graph = new StateGraph(State)
  .addNode("wait", async ({ ms }) => { await delay(ms ?? 0); return {}; })
  .addNode("say", () => ({ said: ${JSON.stringify(word)} }))
  .addEdge(START, "wait").addEdge("wait", "say").addEdge("say", END)
  .compile();
`;

async function startProject() {
  const project = temporaryProject({
    "langgraph.json": JSON.stringify({ graphs: { talk: "./talk.ts:graph" } }),
    "talk.ts": graph("before"),
  });
  onTestFinished(() => project[Symbol.dispose]());
  const server = await startServer({
    mode: "dev",
    workers: 1,
    config: join(project.root, "langgraph.json"),
  });
  const say = async () => {
    const values = await server.client.runs.wait(null, "talk", {
      input: { ms: 0 },
    });
    return (values as { said: string }).said;
  };
  const write = (text: string) =>
    writeFileSync(join(project.root, "talk.ts"), text);
  return { server, say, write };
}

test("a change takes effect without a restart, and a run that is under way ends with the code it began with", async () => {
  const { server, say, write } = await startProject();
  expect(await say()).toBe("before");
  const { runs, threads } = server.client;
  const { thread_id } = await threads.create();
  const frames = collect(
    runs.stream(thread_id, "talk", {
      input: { ms: 4000 },
      streamMode: "values",
    }),
  );
  write(graph("after"));
  await waitFor("the change is served", async () => (await say()) === "after");
  const said = dataOf(await frames, "values").at(-1);
  expect(said).toMatchObject({ said: "before" });
});

test("a change that does not load keeps what was there and shows the place of the error", async () => {
  const { server, say, write } = await startProject();
  write(graph("broken").replace("compile();", "compile(;"));
  await waitFor("the error is shown", () =>
    server.output().includes("talk.ts:9"),
  );
  expect(await say()).toBe("before");
  write(graph("mended"));
  await waitFor(
    "the mended graph is served",
    async () => (await say()) === "mended",
  );
});
