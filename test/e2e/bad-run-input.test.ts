import { afterEach, describe, expect, test } from "vitest";
import { useServer } from "../support/server.ts";

/*
 * What a run is given is checked when it is accepted as far as the server can
 * tell; the rest meets a real worker. There it may end its run and nothing
 * else: the worker stays, and so does the thread.
 */

const server = useServer({ workers: 1 });

afterEach(async () => {
  expect((await server.fetch("/ok")).status).toBe(200);
  expect(server.output()).not.toContain("internal error");
});

const json = async <T>(response: Response): Promise<T> => {
  const text = await response.text();
  expect([response.status, text]).toEqual([200, expect.anything()]);
  return JSON.parse(text) as T;
};

interface Ended {
  status: string;
  error: { error: string; message: string } | undefined;
}

/** A run, from its start to its end, and the thread's state after it, which must be readable. */
async function run(
  graph: string,
  request: object,
  thread_id?: string,
): Promise<Ended & { thread_id: string; values: Record<string, unknown> }> {
  const thread = thread_id ?? (await server.client.threads.create()).thread_id;
  const values = await json<{ __error__?: Ended["error"] }>(
    await server.send("POST", `/threads/${thread}/runs/wait`, {
      assistant_id: graph,
      ...request,
    }),
  );
  const [latest] = await server.client.runs.list(thread);
  for (const path of ["", "/state", "/history", "/storage"])
    expect((await server.fetch(`/threads/${thread}${path}`)).status).toBe(200);
  return {
    thread_id: thread,
    status: latest?.status ?? "",
    error: values.__error__,
    values: values as Record<string, unknown>,
  };
}

/** The same worker serves the next run. */
async function runsWell(): Promise<void> {
  const { values } = await run("fan-out", { input: { text: "a bc" } });
  expect(values).toMatchObject({ total: 3 });
}

const nested = (levels: number): unknown =>
  JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`);

const item = { item: "lamp", stock: 1 };

describe("nodes that the graph does not have", () => {
  test.each(["nobody", "__proto__", "constructor"])(
    "as_node %s is refused by its name",
    async (as_node) => {
      const { thread_id } = await run("failing", { input: item });
      const before = await server.client.threads.getState(thread_id);
      const answer = await server.send("POST", `/threads/${thread_id}/state`, {
        values: { stock: 2 },
        as_node,
      });
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({
        detail: `as_node: Node "${as_node}" does not exist`,
      });
      expect(await server.client.threads.getState(thread_id)).toEqual(before);
    },
  );

  test.each(["nobody", "__proto__", "constructor"])(
    "a breakpoint at %s is never met",
    async (name) => {
      const { status, values } = await run("failing", {
        input: item,
        interrupt_before: [name],
        interrupt_after: [name],
      });
      expect(status).toBe("success");
      expect(values).toMatchObject({ receipt: "1 lamp, 40 euros" });
    },
  );

  test.each([
    "nobody",
    "__proto__",
    "constructor",
    { node: "nobody", input: 1 },
    { node: "__proto__", input: 1 },
    { node: "constructor" },
    ["quote", { node: "toString" }],
  ])("goto %j ends its run, and says why", async (...goto) => {
    const { thread_id } = await run("failing", { input: item });
    const command = { goto: goto.flat() };
    const { status, error } = await run("failing", { command }, thread_id);
    expect(status).toBe("error");
    expect(error?.message).toMatch(/^command\.goto: Node ".+" does not exist$/);
    const again = await run("failing", { input: item }, thread_id);
    expect(again.values).toMatchObject({ receipt: "1 lamp, 40 euros" });
  });
});

describe("input", () => {
  test.each<[string, unknown]>([
    ["a text", "x"],
    ["a number", 5],
    ["a list", [1, [2]]],
    ["objects in each other", nested(100)],
    ["objects in each other, as deep as may be", nested(499)],
    ["keys of the language", JSON.parse('{"__proto__":{"item":1},"constructor":{},"toString":1}')], // prettier-ignore
    ["channels of LangGraph", { __pregel_tasks: [1], __start__: {}, __resume__: 1, __error__: 1, __interrupt__: [1] }], // prettier-ignore
    ["a command in disguise", { lg_name: "Command", goto: ["nobody"], update: 5 }], // prettier-ignore
    ["a packet in disguise", { lg_name: "Send", node: "quote", args: 1 }],
    ["half a pair", { item: "\ud800" }],
  ])("%s", async (_name, input) => {
    const { status, thread_id } = await run("failing", { input });
    expect(["success", "error"]).toContain(status);
    const again = await run("failing", { input: item }, thread_id);
    expect(again.values).toMatchObject({ item: "lamp" });
  });

  test("messages that are none end the run, with a reason", async () => {
    const { status, error } = await run("agent", {
      input: { messages: [{ role: "nobody", content: { a: 1 } }] },
    });
    expect(status).toBe("error");
    expect(error?.message).not.toBe("");
  });

  test("a namespace of nobody is not where the run goes", async () => {
    const { status, thread_id } = await run("failing", {
      input: item,
      checkpoint: { checkpoint_ns: "nobody:1", checkpoint_map: { "": "x" } },
    });
    expect(["success", "error"]).toContain(status);
    await run("failing", { input: item }, thread_id);
  });
});

describe("envelopes of LangChain", () => {
  const envelope = (...id: string[]) => ({
    lc: 1,
    type: "constructor",
    id,
    kwargs: { template: "{a}", content: "x", input_variables: ["a"] },
  });

  test.each([
    ["a class of nobody", envelope("nobody", "X")],
    ["a class of LangChain", envelope("langchain_core", "prompts", "prompt", "PromptTemplate")], // prettier-ignore
    ["an inherited name", envelope("langchain_core", "messages", "constructor")], // prettier-ignore
    ["a secret", { lc: 1, type: "secret", id: ["PATH"] }],
    ["a secret in an object", { ...envelope("nobody", "X"), kwargs: { a: { lc: 1, type: "secret", id: ["PATH"] } } }], // prettier-ignore
  ])("%s stays data in values and metadata", async (_name, value) => {
    const { values, status, thread_id } = await run("failing", {
      input: { ...item, item: value },
      metadata: { value },
      config: { configurable: { value } },
    });
    expect(status).toBe("success");
    expect(values["item"]).toEqual(value);
    const state = await server.client.threads.getState(thread_id);
    expect(state.values).toMatchObject({ item: value });
    expect(state.metadata).toMatchObject({ value });
    const answer = await run("failing", { input: null }, thread_id);
    expect(answer.values["item"]).toEqual(value);
    expect(JSON.stringify(answer)).not.toContain(process.env["PATH"]);
  });

  test("an answer to a question stays data too", async () => {
    const value = envelope("nobody", "X");
    const { thread_id } = await run("approval", { input: { to: "Ada" } });
    await run("approval", { command: { resume: value } }, thread_id);
    const state = await server.fetch(`/threads/${thread_id}/state`);
    expect(state.status).toBe(200);
  });
});

test("after all of it the one worker is still the same, and well", async () => {
  const pids = server.workerPids();
  await runsWell();
  expect(server.workerPids()).toEqual(pids);
  expect(server.output()).not.toMatch(/worker .*(died|exited|crashed|killed)/i);
});
