import { beforeAll, describe, expect, test } from "vitest";
import { NOBODY } from "../../support/sdk.ts";
import { BadInputApp, nested } from "../../support/bad-input.ts";

const app = new BadInputApp();
const path = "/assistants";
const graph_id = "linear";

describe("creating", () => {
  app.refuseAll({
    "no graph": { path, body: {}, detail: "graph_id: required" },
    "a graph that is a number": { path, body: { graph_id: 1 }, detail: "graph_id: expected string" }, // prettier-ignore
    "an unknown graph": { path, body: { graph_id: "nobody" }, status: 404, detail: "Graph 'nobody' not found" }, // prettier-ignore
    "what every object inherits": { path, body: { graph_id: "constructor" }, status: 404, detail: "Graph 'constructor' not found" }, // prettier-ignore
    "a graph of several lines": { path, body: { graph_id: "a\r\nb" }, status: 404, detail: "Graph 'a\r\nb' not found" }, // prettier-ignore
    "an id that is none": { path, body: { graph_id, assistant_id: "mine" }, detail: "assistant_id: must be a UUID" }, // prettier-ignore
    "a config that is a list": { path, body: { graph_id, config: [] }, detail: "config: must be an object" }, // prettier-ignore
    "a limit of no steps": { path, body: { graph_id, config: { recursion_limit: 0 } }, detail: "config.recursion_limit: " }, // prettier-ignore
    "metadata that is text": { path, body: { graph_id, metadata: "x" }, detail: "metadata: must be an object" }, // prettier-ignore
    "a context that is too deep": { path, body: `{"graph_id":"linear","context":${nested(501)}}`, detail: "context: must not be nested" }, // prettier-ignore
    "a name that is none": { path, body: { graph_id, name: {} }, detail: "name: expected string" }, // prettier-ignore
    "a description that is a list": { path, body: { graph_id, description: [] }, detail: "description: expected string" }, // prettier-ignore
    "an unknown if_exists": { path, body: { graph_id, if_exists: "replace" }, detail: "if_exists: must be one of" }, // prettier-ignore
  });

  test("an id that is taken", async () => {
    const { assistant_id } = await app.succeed<{ assistant_id: string }>({ path, body: { graph_id } }); // prettier-ignore
    await app.refuse({ path, body: { graph_id, assistant_id }, status: 409, detail: "Assistant already exists" }); // prettier-ignore
  });
});

describe("assistants of nobody", () => {
  const IDS = [NOBODY, "nobody", "constructor", "__proto__", "%00", "a%0d%0ab", "%25", "'%20or%201=1--", "..%2f..%2fetc"]; // prettier-ignore
  const REST = ["GET ", "PATCH ", "DELETE ", "GET /graph", "GET /schemas", "GET /subgraphs", "GET /subgraphs/a", "POST /versions"]; // prettier-ignore
  for (const end of REST) {
    const [method = "", rest = ""] = end.split(" ");
    app.refuseAll(
      Object.fromEntries(
        IDS.map((id) => [
          `${method} ${id}${rest}`,
          { method, path: `${path}/${id}${rest}`, status: 404, detail: "" },
        ]),
      ),
    );
  }
  app.refuseAll({
    "a version of it": { path: `${path}/${NOBODY}/latest`, body: { version: 1 }, status: 404, detail: "" }, // prettier-ignore
  });
});

describe("questions about one", () => {
  const of = (rest: string) => `${path}/linear${rest}`;
  app.refuseAll({
    "an xray of nothing": { method: "GET", path: of("/graph?xray=deep"), detail: "xray: " }, // prettier-ignore
    "an xray too deep": { method: "GET", path: of("/graph?xray=99999999999"), detail: "xray: " }, // prettier-ignore
    "recursion that is neither": { method: "GET", path: of("/subgraphs?recurse=all"), detail: "recurse: must be true or false" }, // prettier-ignore
    "no versions": { path: of("/versions"), body: { limit: 0 }, detail: "limit: " }, // prettier-ignore
    "versions before the first": { path: of("/versions"), body: { offset: -1 }, detail: "offset: " }, // prettier-ignore
    "no version": {
      path: of("/latest"),
      body: {},
      detail: "version: required",
    },
    "version zero": { path: of("/latest"), body: { version: 0 }, detail: "version: " }, // prettier-ignore
    "a version that is text": { path: of("/latest"), body: { version: "1" }, detail: "version: " }, // prettier-ignore
    "a version in the query that is none": { path: of("/latest?version=one"), detail: "version: " }, // prettier-ignore
    "a version to come": { path: of("/latest"), body: { version: 99 }, status: 404, detail: "" }, // prettier-ignore
    "another graph that is none": { method: "PATCH", path: of(""), body: { graph_id: "nobody" }, status: 404, detail: "Graph 'nobody' not found" }, // prettier-ignore
    "a config that is text": { method: "PATCH", path: of(""), body: { config: "x" }, detail: "config: must be an object" }, // prettier-ignore
    "threads that go or not": { method: "DELETE", path: of("?delete_threads=some"), detail: "delete_threads: must be true or false" }, // prettier-ignore
  });
});

describe("searching", () => {
  const search = `${path}/search`;
  app.refuseAll({
    "no rows": { path: search, body: { limit: 0 }, detail: "limit: " },
    "too many": { path: search, body: { limit: 1001 }, detail: "limit: " },
    "an order of SQL": { path: search, body: { sort_by: "name; drop table assistants" }, detail: "sort_by: must be one of" }, // prettier-ignore
    "a direction that is none": { path: search, body: { sort_order: "up" }, detail: "sort_order: must be one of" }, // prettier-ignore
    "a column of SQL": { path: search, body: { select: ["*"] }, detail: "select[0]: must be one of" }, // prettier-ignore
    "metadata that is a list": { path: search, body: { metadata: [] }, detail: "metadata: must be an object" }, // prettier-ignore
    "a name that is a number": { path: `${path}/count`, body: { name: 1 }, detail: "name: expected string" }, // prettier-ignore
  });

  beforeAll(async () => {
    for (const name of ["50% off", "a_b", "ab", "it's"])
      await app.succeed({ path, body: { graph_id, name } });
  });

  test.each([
    ["%", ["50% off"]],
    ["_", ["a_b"]],
    ["'", ["it's"]],
    ["' or 1=1 --", []],
    ["A_B", ["a_b"]],
  ])(
    "the characters of %j mean nothing but themselves",
    async (name, found) => {
      const body = { name, select: ["name"] };
      expect(await app.succeed({ path: search, body })).toEqual(
        found.map((one) => ({ name: one })),
      );
    },
  );
});
