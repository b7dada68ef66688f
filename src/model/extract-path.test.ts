import { describe, expect, test } from "vitest";
import type { Json } from "../lib/json.ts";
import { extractAt, parseExtractPath } from "./extract-path.ts";

const at = (value: Json, text: string): Json => {
  const path = parseExtractPath(text);
  if (path === null) throw new Error(`${text} is no path`);
  return extractAt(value, path);
};

describe("an extract path", () => {
  test("finds members and elements, from either end", () => {
    const values = { messages: [{ content: "a" }, { content: "b" }], "x-y": 1 };
    expect(at(values, "values")).toEqual(values);
    expect(at(values, "values.messages[0].content")).toBe("a");
    expect(at(values, "values.messages[-1].content")).toBe("b");
    expect(at(values, "values.x-y")).toBe(1);
    expect(at([[1, 2]], "values[0][-2]")).toBe(1);
  });

  test("is null where there is nothing", () => {
    expect(at(null, "values.messages[-1]")).toBeNull();
    expect(at({ messages: [] }, "values.messages[-1]")).toBeNull();
    expect(at({ messages: "text" }, "values.messages[0]")).toBeNull();
    expect(at({ messages: [1] }, "values.messages.length")).toBeNull();
  });

  test("does not reach what the data does not own", () => {
    expect(at({}, "values.constructor")).toBeNull();
    expect(at({}, "values.__proto__")).toBeNull();
    expect(at(JSON.parse('{"__proto__": 1}') as Json, "values.__proto__")).toBe(
      1,
    );
  });

  test.each([
    "",
    "value",
    "valuesx",
    "status",
    "Values.a",
    "values.",
    "values..a",
  ])("%j is refused", (text) => expect(parseExtractPath(text)).toBeNull());

  test.each([
    "values[",
    "values[]",
    "values[a]",
    "values[1.5]",
    "values]",
    "values a",
    "values[0]a",
  ])("%j is refused", (text) => expect(parseExtractPath(text)).toBeNull());
});
