import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  jsonObject,
  jsonValue,
  lenientBoolean,
  limit,
  metadata,
  optional,
  queryList,
  uuid,
  withDefault,
} from "./fields.ts";

const accepts = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value).success;

describe("absent and null", () => {
  test("mean the same", () => {
    const schema = z.object({
      a: optional(z.string()),
      b: withDefault(z.int(), 7),
    });
    for (const given of [{}, { a: null, b: null }, { a: undefined }])
      expect(schema.parse(given)).toMatchObject({ b: 7 });
    expect(schema.parse({ a: null }).a).toBeUndefined();
    expect(accepts(schema, { a: 1 })).toBe(false);
  });
});

describe("a list in a query", () => {
  const schema = queryList(z.string());

  test.each([
    ["a", ["a"]],
    ["a,b", ["a", "b"]],
    [" a , b ,", ["a", "b"]],
    [
      ["a", "b"],
      ["a", "b"],
    ],
    [
      ["a,b", "c"],
      ["a", "b", "c"],
    ],
    ['["a","b,c"]', ["a", "b,c"]],
    ["[]", []],
    ["", []],
    ["[a", ["[a"]],
  ])("%j is %j", (given, list) => expect(schema.parse(given)).toEqual(list));

  test("has items of one kind", () => {
    expect(accepts(schema, "[1]")).toBe(false);
    expect(accepts(queryList(z.enum(["x"])), "x,y")).toBe(false);
  });
});

describe("a lenient boolean", () => {
  test.each([true, "true", "True", "TRUE", 1, "1", "yes", "Yes"])(
    "takes %j for true",
    (given) => expect(lenientBoolean.parse(given)).toBe(true),
  );
  test.each([false, "false", "False", 0, "0", "no", "NO"])(
    "takes %j for false",
    (given) => expect(lenientBoolean.parse(given)).toBe(false),
  );
  test.each(["", "2", "maybe", 2, {}, [], "constructor", "__proto__"])(
    "refuses %j",
    (given) => expect(accepts(lenientBoolean, given)).toBe(false),
  );
});

describe("JSON of a user", () => {
  const nested = (levels: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level += 1) value = [value];
    return { value };
  };

  test("passes through untouched, a member called __proto__ too", () => {
    const given = JSON.parse('{"__proto__":{"x":1},"a":null}') as object;
    expect(jsonObject.parse(given)).toBe(given);
    expect(metadata.parse(given)).toBe(given);
    expect(jsonValue.parse(given)).toBe(given);
  });

  test("may be deep, but not bottomless", () => {
    for (const schema of [jsonObject, jsonValue, metadata]) {
      expect(accepts(schema, nested(400))).toBe(true);
      expect(accepts(schema, nested(600))).toBe(false);
    }
  });

  test.each([[[]], ["text"], [1], [true]])("%j is no object", (given) =>
    expect(accepts(jsonObject, given)).toBe(false),
  );

  test("loses the keys that only the server may set", () => {
    const given = JSON.parse(
      '{"langgraph_auth_user":1,"langgraph_request_id":2,"langgraph_auth":3,"__proto__":4}',
    ) as object;
    expect(JSON.stringify(metadata.parse(given))).toBe(
      '{"langgraph_auth":3,"__proto__":4}',
    );
  });
});

describe("an id", () => {
  test("may be any UUID, and comes out in lower case", () => {
    for (const id of [
      "00000000-0000-0000-0000-000000000000",
      "ffffffff-ffff-ffff-ffff-ffffffffffff",
      "12345678-1234-0234-0234-123456789ABC",
    ])
      expect(uuid.parse(id)).toBe(id.toLowerCase());
  });

  test.each([
    "",
    "x",
    "{00000000-0000-0000-0000-000000000000}",
    "0".repeat(32),
    7,
  ])("is not %j", (given) => expect(accepts(uuid, given)).toBe(false));
});

test("a limit is from 1 to 1000", () => {
  expect(limit(10).parse(undefined)).toBe(10);
  expect([1, 1000].every((rows) => accepts(limit(10), rows))).toBe(true);
  expect(
    [0, 1001, 1.5, "1", Number.NaN].some((rows) => accepts(limit(10), rows)),
  ).toBe(false);
});
