import { AIMessageChunk, HumanMessage } from "@langchain/core/messages";
import { describe, expect, it } from "vitest";
import { toWire, wireText } from "./wire-json.ts";

describe("toWire", () => {
  it("flattens messages, wherever they are", () => {
    const message = new HumanMessage({ content: "hi", id: "1" });
    const flat = {
      type: "human",
      content: "hi",
      id: "1",
      additional_kwargs: {},
      response_metadata: {},
    };
    expect(
      toWire({ messages: [message], map: new Map([["m", message]]) }),
    ).toEqual({ messages: [flat], map: { m: flat } });
    const chunk = new AIMessageChunk({
      content: "",
      tool_call_chunks: [
        { name: "f", args: '{"a"', index: 0, type: "tool_call_chunk" },
      ],
    });
    expect(toWire(chunk)).toMatchObject({
      type: "ai",
      tool_call_chunks: [{ args: '{"a"' }],
    });
  });

  it("tells errors by class and message", () => {
    class Odd extends Error {}
    expect(toWire([new RangeError("r"), new Odd("o")])).toEqual([
      { error: "RangeError", message: "r" },
      { error: "Odd", message: "o" },
    ]);
  });

  it("follows the rules of JSON for undefined, functions, dates and numbers", () => {
    expect(
      toWire({
        gone: undefined,
        call: () => 1,
        list: [undefined, () => 1, Symbol("s")],
        at: new Date(0),
        never: new Date(NaN),
        infinite: Infinity,
        boxed: Object("text"),
      }),
    ).toEqual({
      list: [null, null, null],
      at: "1970-01-01T00:00:00.000Z",
      never: null,
      infinite: null,
      boxed: "text",
    });
    expect(toWire(undefined)).toBeNull();
  });

  it("says null for null, at the top too", () => {
    expect([toWire(null), toWire(undefined), wireText(null)]).toEqual([
      null,
      null,
      "null",
    ]);
  });

  it("has a form for what JSON cannot say", () => {
    expect(
      toWire({
        big: 2n ** 64n,
        set: new Set([1, 2]),
        map: new Map<unknown, unknown>([[1, "one"]]),
        bytes: new Uint8Array([1, 2, 3]),
        view: new Uint8Array([0, 1, 2, 3]).subarray(1),
        buffer: Buffer.from("abc"),
        floats: new Float32Array([0.5, 1]),
        pattern: /a+/g,
        url: new URL("http://localhost/x"),
      }),
    ).toEqual({
      big: "18446744073709551616",
      set: [1, 2],
      map: { "1": "one" },
      bytes: "AQID",
      view: "AQID",
      buffer: "YWJj",
      floats: [0.5, 1],
      pattern: "/a+/g",
      url: "http://localhost/x",
    });
  });

  it("repeats a value that is there twice, and ends at one that contains itself", () => {
    const shared = { a: 1 };
    const cycle: Record<string, unknown> = { one: shared, two: shared };
    cycle.self = [cycle];
    expect(toWire(cycle)).toEqual({
      one: { a: 1 },
      two: { a: 1 },
      self: ["[object Object]"],
    });
  });

  it("never throws", () => {
    const hostile = {
      getter: Object.defineProperty({}, "x", {
        enumerable: true,
        get: () => {
          throw new Error("no");
        },
      }),
      json: {
        toJSON: () => {
          throw new Error("no");
        },
      },
      bare: Object.create(null) as object,
      proxy: new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error("no");
          },
        },
      ),
    };
    expect(toWire(hostile)).toEqual({
      getter: "[object Object]",
      json: "[object Object]",
      bare: {},
      proxy: "[object Object]",
    });
    expect(toWire(() => 1)).toBe("() => 1");
    let deep: unknown = "end";
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
    expect(() => wireText(deep)).not.toThrow();
  });

  it("keeps a key that is called __proto__", () => {
    const value: unknown = JSON.parse('{"__proto__": {"a": 1}}');
    expect(wireText(value)).toBe('{"__proto__":{"a":1}}');
  });
});

describe("wireText", () => {
  it("is one line without NUL characters and lone surrogates, in keys too", () => {
    const text = wireText({ "k\0": "a\nb\0c\ud800d😀\u2028" });
    expect(text).not.toMatch(/\n|\\u0000|\\ud800/i);
    expect(JSON.parse(text)).toEqual({
      "k\ufffd": "a\nb\ufffdc\ufffdd😀\u2028",
    });
  });
});
