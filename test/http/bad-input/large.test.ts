import { describe, expect, test } from "vitest";
import { BadInputApp, GRAPHS } from "../../support/bad-input.ts";

/*
 * A million of something, in bodies that the limit lets through. What would
 * take quadratic work, or a report on each of a million items, takes minutes,
 * so that the time limit of the tests is enough to see it. Of what is stored
 * and found again a fifth does: its square is still long enough.
 */

const app = new BadInputApp({
  graphs: GRAPHS,
  http: { maxBodyBytes: 100_000_000 },
});

const MILLION = 1_000_000;

const keysOf = (length: number) => `{${Array.from({ length }, (_, index) => `"k${index}":${index}`).join()}}`; // prettier-ignore
const keys = keysOf(MILLION);
const fewerKeys = keysOf(MILLION / 5);
const listOf = (item: string) => `[${Array.from({ length: MILLION }, () => item).join()}]`; // prettier-ignore

const run = (field: string, json: string) => ({
  path: "/runs",
  body: `{"assistant_id":"linear","${field}":${json}}`,
});

describe("a million that are refused", () => {
  app.refuseAll({
    ids: { path: "/threads/search", body: `{"ids":${listOf("1")}}`, detail: "ids[0]: must be a UUID" }, // prettier-ignore
    columns: { path: "/threads/search", body: `{"select":${listOf('"x"')}}`, detail: "select[0]: must be one of" }, // prettier-ignore
    paths: { path: "/threads/search", body: `{"extract":${keys}}`, detail: "extract: must have at most 10 entries" }, // prettier-ignore
    supersteps: { path: "/threads", body: `{"supersteps":${listOf("1")}}`, detail: "supersteps[0]: expected object" }, // prettier-ignore
    modes: { ...run("stream_mode", listOf("1")), detail: "stream_mode[0]: expected string" }, // prettier-ignore
    breakpoints: { ...run("interrupt_before", listOf("1")), detail: "interrupt_before[0]: expected string" }, // prettier-ignore
    destinations: { ...run("command", `{"goto":${listOf("1")}}`), detail: "command.goto" }, // prettier-ignore
    pairs: { ...run("command", `{"update":${listOf("1")}}`), detail: "command.update" }, // prettier-ignore
    namespaces: { path: "/threads/00000000-0000-4000-8000-000000000000/runs", body: `{"assistant_id":"linear","checkpoint":{"checkpoint_map":${keys}}}`, detail: "checkpoint.checkpoint_map: must map" }, // prettier-ignore
    "quotes that do not end": { path: "/threads", body: `{"a":"${'\\\\\\"'.repeat(MILLION)}`, detail: "body: is not valid JSON" }, // prettier-ignore
    "backslashes that do not end": { path: "/threads", body: `{"a":"${"\\".repeat(4 * MILLION + 1)}`, detail: "body: is not valid JSON" }, // prettier-ignore
  });
});

describe("hundreds of thousands of keys that are data", () => {
  test("nobody asked for", async () => {
    await app.succeed({ path: "/threads", body: fewerKeys });
  });

  test("of metadata, which are found again", async () => {
    for (let index = 0; index < 50; index += 1)
      await app.succeed({ path: "/threads", body: { metadata: { index } } });
    const body = `{"metadata":${fewerKeys}}`;
    const { thread_id } = await app.succeed<{ thread_id: string }>({ path: "/threads", body }); // prettier-ignore
    const found = await app.succeed<{ thread_id: string }[]>({
      path: "/threads/search",
      body: `{"select":["thread_id"],"metadata":${fewerKeys}}`,
    });
    expect(found).toEqual([{ thread_id }]);
    await app.server.app.request(`/threads/${thread_id}`, { method: "DELETE" });
  });

  test("of values that no channel has", async () => {
    const thread = await app.succeed<{ values: unknown }>({
      path: "/threads",
      body: `{"metadata":{"graph_id":"linear"},"supersteps":[{"updates":[{"as_node":"first","values":${fewerKeys}}]}]}`,
    });
    expect(thread.values).toEqual({ log: [] });
  });
});
