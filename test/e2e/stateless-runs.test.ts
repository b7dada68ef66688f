import { expect, test } from "vitest";
import { collect, dataOf, refusal, UUID } from "../support/sdk.ts";
import { useServer } from "../support/server.ts";

const server = useServer();

const input = { text: "a bc" };
const total = { text: "a bc", lengths: [1, 2], total: 3 };

test("a run without a thread answers, and leaves nothing behind", async () => {
  const { threads, runs } = server.client;
  const before = await threads.count();
  let created: { run_id: string } | undefined;
  const values = await runs.wait(null, "fan-out", {
    input,
    onRunCreated: (run) => (created = run),
  });
  expect(values).toEqual(total);
  expect(created?.run_id).toMatch(UUID);
  expect(await threads.count()).toBe(before);
});

test("a stream without a thread has the same frames", async () => {
  const { threads, runs } = server.client;
  const before = await threads.count();
  const frames = await collect(
    runs.stream(null, "fan-out", { input, streamMode: ["values", "updates"] }),
  );
  expect(frames[0]).toMatchObject({ event: "metadata", data: { attempt: 1 } });
  expect(dataOf(frames, "values").at(-1)).toEqual(total);
  expect(dataOf(frames, "updates").at(-1)).toEqual({ sum: { total: 3 } });
  expect(frames.at(-1)).toMatchObject({
    event: "end",
    data: { status: "success" },
  });
  expect(await threads.count()).toBe(before);
});

test("its address in the answer has no thread, its way back has", async () => {
  const answer = await server.send("POST", "/runs/wait", {
    assistant_id: "fan-out",
    input,
  });
  expect(await answer.json()).toEqual(total);
  const uuid = UUID.source.slice(1, -1);
  expect(answer.headers.get("content-location")).toMatch(
    new RegExp(`^/runs/${uuid}$`),
  );
  const back = answer.headers.get("location") ?? "";
  expect(back).toMatch(new RegExp(`^/threads/${uuid}/runs/${uuid}/join$`));
  expect((await server.fetch(back)).status).toBe(404);
});

test("its thread is gone when the run has ended", async () => {
  const run = await server.client.runs.create(null, "slow", {
    input: { steps: 1, seconds: 0.3 },
  });
  const thread = `/threads/${run.thread_id}`;
  expect((await server.fetch(thread)).status).toBe(200);
  await (await server.fetch(`${thread}/runs/${run.run_id}/join`)).text();
  const reads = ["", "/state", "/history", "/runs", "/storage"];
  for (const path of [...reads, `/runs/${run.run_id}`])
    expect([path, (await server.fetch(thread + path)).status]).toEqual([
      path,
      404,
    ]);
  const write = await server.send("POST", `${thread}/runs`, {
    assistant_id: "slow",
  });
  expect(write.status).toBe(404);
});

test("who waits for other modes than values gets the last state", async () => {
  const answer = await server.send("POST", "/runs/wait", {
    assistant_id: "fan-out",
    input,
    stream_mode: "updates",
  });
  expect(await answer.json()).toEqual(total);
});

test("who comes late to its stream finds an end, not an error", async () => {
  const { runs } = server.client;
  let created: { run_id: string } | undefined;
  const first = await collect(
    runs.stream(null, "fan-out", {
      input,
      onRunCreated: (run) => (created = run),
    }),
  );
  const run_id = created?.run_id ?? "";
  const late = await collect(runs.joinStream(null, run_id));
  expect(late).toMatchObject([{ event: "end", data: { status: "success" } }]);
  const replay = await collect(
    runs.joinStream(null, run_id, { lastEventId: "-1" }),
  );
  expect(replay).toEqual(first);
});

test("on_completion keep leaves the thread", async () => {
  const answer = await server.send("POST", "/runs/wait", {
    assistant_id: "fan-out",
    input,
    on_completion: "keep",
  });
  expect(await answer.json()).toEqual(total);
  const [, threadId = ""] =
    /^\/threads\/([^/]+)\//.exec(answer.headers.get("location") ?? "") ?? [];
  const thread = await server.client.threads.get(threadId);
  expect(thread).toMatchObject({ status: "idle", values: total });
});

test("errors are told as for any run", async () => {
  const { runs } = server.client;
  const wait = runs.wait(null, "failing", {
    input: { item: "lamp", stock: 0 },
  });
  await expect(wait).rejects.toThrow("OutOfStockError: No lamp left");
  const frames = await collect(
    runs.stream(null, "failing", { input: { item: "lamp", stock: 0 } }),
  );
  expect(dataOf(frames, "error")).toEqual([
    { error: "OutOfStockError", message: "No lamp left" },
  ]);
  const unknown = await refusal(runs.wait(null, "nobody", { input }));
  expect(unknown.status).toBe(404);
});

test("many of them run at once", async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, () =>
      server.client.runs.wait(null, "fan-out", { input }),
    ),
  );
  for (const values of answers) expect(values).toEqual(total);
});
