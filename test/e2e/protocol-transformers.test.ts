import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commanded, newThreadId, reading } from "../support/protocol.ts";
import { useServer } from "../support/server.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

const server = useServer({
  config: join(FIXTURES, "transformed-graphs/langgraph.json"),
});

test("what a graph's stream transformers make is told in channels of their names, and what they take out is not", async () => {
  const threadId = newThreadId();
  const all = await reading(server, threadId);
  const named = await reading(server, threadId, {
    channels: ["custom:counts", "lifecycle"],
  });
  await commanded(server, threadId, "run.start", {
    assistant_id: "counted",
    input: { log: [] },
  });
  await all.runs();
  await named.runs();
  expect(named.data("custom")).toEqual([
    { name: "counts", payload: 1 },
    { name: "counts", payload: 2 },
  ]);
  expect(all.data("custom")).toEqual([
    ...named.data("custom"),
    { name: "total", payload: 2 },
  ]);
  expect(all.of("tasks")).toEqual([]);
  expect(all.data("values").at(-1)).toEqual({ log: ["first", "second"] });
});
