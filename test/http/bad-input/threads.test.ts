import { describe, expect, test } from "vitest";
import { NOBODY } from "../../support/sdk.ts";
import { BadInputApp, nested } from "../../support/bad-input.ts";

const app = new BadInputApp();

const BAD_IDS = ["mine", "%00", "%0d%0aSet-Cookie:%20a=b", `${NOBODY}%0a`, "'%20or%201=1--", `${NOBODY}0`, "%F0%9F%98%80", "__proto__"]; // prettier-ignore
const WITH_ID = ["GET ", "PATCH ", "DELETE ", "POST /copy", "GET /storage", "PATCH /state"]; // prettier-ignore

describe("ids of threads", () => {
  for (const endpoint of WITH_ID) {
    const [method = "", rest = ""] = endpoint.split(" ");
    app.refuseAll(
      Object.fromEntries(
        BAD_IDS.map((id) => [
          `${method} /threads/${id}${rest}`,
          {
            method,
            path: `/threads/${id}${rest}`,
            detail: "thread_id: must be a UUID",
          },
        ]),
      ),
    );
  }
  app.refuseAll({
    "nobody's thread": { method: "GET", path: `/threads/${NOBODY}`, status: 404, detail: `Thread with ID ${NOBODY} not found` }, // prettier-ignore
    "a change of it": { method: "PATCH", path: `/threads/${NOBODY}`, body: { metadata: { a: 1 } }, status: 404, detail: "Thread" }, // prettier-ignore
    "its deletion": { method: "DELETE", path: `/threads/${NOBODY}`, status: 404, detail: "Thread" }, // prettier-ignore
    "a copy of it": { path: `/threads/${NOBODY}/copy`, status: 409, detail: "Thread not found" }, // prettier-ignore
    "its size": { method: "GET", path: `/threads/${NOBODY}/storage`, status: 404, detail: "Thread" }, // prettier-ignore
  });
});

describe("creating", () => {
  const path = "/threads";
  app.refuseAll({
    "an id that is a number": { path, body: { thread_id: 1 }, detail: "thread_id: must be a UUID" }, // prettier-ignore
    "an id with a line end": { path, body: { thread_id: `${NOBODY}\r\n` }, detail: "thread_id: must be a UUID" }, // prettier-ignore
    "metadata that is a list": { path, body: { metadata: [] }, detail: "metadata: must be an object" }, // prettier-ignore
    "metadata that is a text": { path, body: { metadata: "{}" }, detail: "metadata: must be an object" }, // prettier-ignore
    "metadata that is too deep": { path, body: `{"metadata":${nested(501)}}`, detail: "metadata: must not be nested deeper than 500 levels" }, // prettier-ignore
    "an unknown if_exists": { path, body: { if_exists: "constructor" }, detail: "if_exists: must be one of raise, do_nothing" }, // prettier-ignore
    "a time to live of nothing": { path, body: { ttl: 0 }, detail: "ttl" },
    "a negative one": { path, body: { ttl: { ttl: -1 } }, detail: "ttl.ttl: " },
    "one without end": { path, body: '{"ttl": 1e999}', detail: "ttl" },
    "one that is a text": { path, body: { ttl: "60" }, detail: "ttl: expected object" }, // prettier-ignore
    "an unknown strategy": { path, body: { ttl: { ttl: 1, strategy: "burn" } }, detail: "ttl.strategy: must be one of delete, keep_latest" }, // prettier-ignore
    "supersteps that are none": { path, body: { supersteps: {} }, detail: "supersteps: expected array" }, // prettier-ignore
    "a superstep that is null": { path, body: { supersteps: [null] }, detail: "supersteps[0]: expected object" }, // prettier-ignore
  });

  test("an id that is taken", async () => {
    const thread_id = await app.thread();
    const body = { thread_id: thread_id.toUpperCase() };
    await app.refuse({ path, body, status: 409, detail: "Thread already exists" }); // prettier-ignore
  });

  test.each([
    "__proto__",
    "constructor",
    "toString",
    "\u0000",
    "a.b",
    "$.a",
    '"',
    "'; drop table threads; --",
    "%_\\",
  ])(
    // prettier-ignore
    "a key called %j is data",
    async (key) => {
      const metadata = JSON.parse(`{${JSON.stringify(key)}:{"v":1}}`) as object;
      const stored = key.replaceAll("\0", "\ufffd");
      const thread = await app.succeed<{ metadata: object; thread_id: string }>(
        { path, body: { metadata } },
      );
      expect(Object.entries(thread.metadata)).toEqual([[stored, { v: 1 }]]);
      const found = await app.succeed<{ thread_id: string }[]>({
        path: "/threads/search",
        body: { metadata },
      });
      expect(found.map((one) => one.thread_id)).toEqual([thread.thread_id]);
      expect(({} as Record<string, unknown>)["v"]).toBeUndefined();
    },
  );
});

describe("pruning", () => {
  const path = "/threads/prune";
  app.refuseAll({
    "without ids": { path, body: {}, detail: "thread_ids: required" },
    "an id that is none": { path, body: { thread_ids: [NOBODY, "x"] }, detail: "thread_ids[1]: must be a UUID" }, // prettier-ignore
    "ids that are one text": { path, body: { thread_ids: NOBODY }, detail: "thread_ids: expected array" }, // prettier-ignore
    "an unknown strategy": { path, body: { thread_ids: [], strategy: "all" }, detail: "strategy: must be one of" }, // prettier-ignore
  });
});
