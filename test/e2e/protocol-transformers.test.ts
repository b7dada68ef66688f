import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  commanded,
  newThreadId,
  ProtocolSocket,
  reading,
} from "../support/protocol.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

/** Its pages may come from one place only. */
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

test("a page opens a WebSocket from where it may send requests from, and from nowhere else", async () => {
  const from = (origin: string) =>
    new ProtocolSocket(server, newThreadId(), { origin });
  await from("https://app.example.com").opened();
  await from(server.url).opened();
  const stranger = from("https://elsewhere.example.com");
  await waitFor("it is closed", () => stranger.closeCode);
  expect(stranger.closeCode).toBe(4403);
});
