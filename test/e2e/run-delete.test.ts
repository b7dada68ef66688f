import { expect, test } from "vitest";
import { useServer } from "../support/server.ts";

const server = useServer();

async function waited(
  thread_id: string,
  graph: string,
  payload: Record<string, unknown>,
): Promise<string> {
  const { runs } = server.client;
  await runs.wait(thread_id, graph, payload);
  const [newest] = await runs.list(thread_id);
  return newest?.run_id ?? "";
}

/** How a thread stands, apart from when. */
async function standing(thread_id: string) {
  const { threads } = server.client;
  const { status, values, interrupts, error } = await threads.get(thread_id);
  const state = await threads.getState(thread_id);
  return { status, values, interrupts, error, state };
}

test("with the run that asked goes its question", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const run = await waited(thread_id, "approval", { input: { to: "Ada" } });
  await runs.delete(thread_id, run);
  expect(await standing(thread_id)).toMatchObject({
    status: "idle",
    values: null,
    interrupts: {},
    state: { values: {}, next: [] },
  });
  expect(await threads.search({ status: "interrupted" })).not.toContainEqual(
    expect.objectContaining({ thread_id }),
  );
});

test.each([
  ["approval", { to: "Ada" }],
  ["trip", { wish: "a weekend in Porto" }],
])(
  "without the run that answered, the question of %s waits again",
  async (graph, input) => {
    const { threads, runs } = server.client;
    const { thread_id } = await threads.create();
    await waited(thread_id, graph, { input });
    const before = await standing(thread_id);
    const payload = { command: { resume: "no" }, streamMode: "updates" };
    const answer = await waited(thread_id, graph, payload);
    expect((await standing(thread_id)).status).toBe("idle");
    await runs.delete(thread_id, answer);
    expect(await standing(thread_id)).toEqual(before);
    await waited(thread_id, graph, { command: { resume: "yes" } });
    expect((await standing(thread_id)).status).toBe("idle");
  },
);

test("a run that is not the newest goes without a trace in what the thread shows", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const first = await waited(thread_id, "story", { input: { hero: "a fox" } });
  await waited(thread_id, "story", { input: { hero: "an owl" } });
  const before = await standing(thread_id);
  await runs.delete(thread_id, first);
  expect(await standing(thread_id)).toEqual(before);
});

test("the error of a failed run goes with it", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  await waited(thread_id, "story", { input: { hero: "a fox" } });
  const before = await standing(thread_id);
  const input = { item: "lamp", stock: 0 };
  const failed = await waited(thread_id, "failing", {
    input,
    raiseError: false,
  });
  expect((await standing(thread_id)).status).toBe("error");
  await runs.delete(thread_id, failed);
  const { status, error, values } = await standing(thread_id);
  expect({ status, error }).toEqual({ status: "idle", error: null });
  expect(values).not.toHaveProperty("item");
  expect(before.status).toBe("idle");
});

test("the stream of a thread does not show a run that was deleted", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const gone = await waited(thread_id, "story", { input: { hero: "a fox" } });
  await runs.delete(thread_id, gone);
  const kept = await waited(thread_id, "story", { input: { hero: "an owl" } });
  const stream = threads.joinStream(thread_id, { lastEventId: "-1" });
  const text: string[] = [];
  for await (const frame of stream) {
    text.push(JSON.stringify(frame.data));
    if ((frame.event as string) === "end") break;
  }
  expect(text.join()).toContain(kept);
  expect(text.join()).not.toContain(gone);
});
