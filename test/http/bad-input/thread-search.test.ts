import { beforeAll, describe, expect, test } from "vitest";
import { BadInputApp, nested } from "../../support/bad-input.ts";

const app = new BadInputApp();
const path = "/threads/search";

const SQL = "updated_at; drop table threads; --";

describe("searching threads", () => {
  app.refuseAll({
    "no rows": { path, body: { limit: 0 }, detail: "limit: " },
    "too many rows": { path, body: { limit: 1001 }, detail: "limit: " },
    "half a row": { path, body: { limit: 1.5 }, detail: "limit: " },
    "rows as text": { path, body: { limit: "10" }, detail: "limit: " },
    "rows without end": { path, body: '{"limit": 1e400}', detail: "limit: " },
    "rows before the first": { path, body: { offset: -1 }, detail: "offset: " },
    "rows beyond counting": { path, body: '{"offset": 9007199254740993}', detail: "offset: " }, // prettier-ignore
    "an order of SQL": { path, body: { sort_by: SQL }, detail: "sort_by: must be one of" }, // prettier-ignore
    "an inherited order": { path, body: { sort_by: "__proto__" }, detail: "sort_by: must be one of" }, // prettier-ignore
    "a direction of SQL": { path, body: { sort_order: "asc, (select 1)" }, detail: "sort_order: must be one of" }, // prettier-ignore
    "an unknown status": { path, body: { status: "idle' or '1'='1" }, detail: "status: must be one of" }, // prettier-ignore
    "a column of SQL": { path, body: { select: ["*"] }, detail: "select[0]: must be one of" }, // prettier-ignore
    "an inherited column": { path, body: { select: ["values", "constructor"] }, detail: "select[1]: must be one of" }, // prettier-ignore
    "columns as text": { path, body: { select: "values" }, detail: "select: expected array" }, // prettier-ignore
    "an id that is none": { path, body: { ids: ["%"] }, detail: "ids[0]: must be a UUID" }, // prettier-ignore
    "metadata that is text": { path, body: { metadata: "a" }, detail: "metadata: must be an object" }, // prettier-ignore
    "metadata that is too deep": { path, body: `{"metadata":${nested(501)}}`, detail: "metadata: must not be nested" }, // prettier-ignore
    "values that are a list": { path, body: { values: [] }, detail: "values: must be an object" }, // prettier-ignore
    "a path from nowhere": { path, body: { extract: { a: "kwargs.x" } }, detail: "extract.a: must be a path" }, // prettier-ignore
    "a path of SQL": { path, body: { extract: { a: "values'); drop table threads; --" } }, detail: "extract.a: must be a path" }, // prettier-ignore
    "a path that ends in a dot": { path, body: { extract: { a: "values." } }, detail: "extract.a: must be a path" }, // prettier-ignore
    "an index too large": { path, body: { extract: { a: "values[99999999999]" } }, detail: "extract.a: must be a path" }, // prettier-ignore
    "a path that is none": { path, body: '{"extract":{"__proto__":1}}', detail: "extract.__proto__: must be a path" }, // prettier-ignore
    "paths as a list": { path, body: { extract: ["values"] }, detail: "extract: must be an object of paths" }, // prettier-ignore
    "eleven paths": { path, body: { extract: Object.fromEntries(Array.from({ length: 11 }, (_, index) => [index, "values"])) }, detail: "extract: must have at most 10" }, // prettier-ignore
    "a count of an unknown status": { path: "/threads/count", body: { status: "gone" }, detail: "status: must be one of" }, // prettier-ignore
    "a count of values that are text": { path: "/threads/count", body: { values: "x" }, detail: "values: must be an object" }, // prettier-ignore
  });
});

describe("characters that mean something to SQL mean nothing here", () => {
  beforeAll(async () => {
    for (const name of ["a%b", "a_b", "aXb", "it's", 'say "hi"', "back\\slash"])
      await app.succeed({ path: "/threads", body: { metadata: { name } } });
  });

  test.each<[metadata: object, found: number]>([
    [{ name: "a%b" }, 1],
    [{ name: "a_b" }, 1],
    [{ name: "a%" }, 0],
    [{ name: "%" }, 0],
    [{ name: "it's" }, 1],
    [{ name: "' or '1'='1" }, 0],
    [{ name: 'say "hi"' }, 1],
    [{ name: "back\\slash" }, 1],
    [{ "name') or 1=1 --": 1 }, 0],
    [{ "$.name": "a%b" }, 0],
    [{ name: null }, 0],
    [JSON.parse('{"__proto__": {}}') as object, 0],
    [{ constructor: {} }, 0],
    [{}, 6],
  ])("%j finds %i", async (metadata, found) => {
    const rows = await app.succeed<unknown[]>({ path, body: { metadata } });
    expect(rows).toHaveLength(found);
    const total = await app.succeed({ path: "/threads/count", body: { metadata } }); // prettier-ignore
    expect(total).toBe(found);
  });

  test.each([
    "values.__proto__",
    "metadata.constructor",
    "values.%",
    "metadata.it's",
    "config[0]",
    "interrupts[-1].x",
  ])(
    // prettier-ignore
    "%s extracts nothing",
    async (extracted) => {
      const [row] = await app.succeed<{ extracted: object }[]>({
        path,
        body: { extract: { it: extracted }, select: ["thread_id"] },
      });
      expect(row?.extracted).toEqual({ it: null });
    },
  );
});
