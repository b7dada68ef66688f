import { describe, expect, test } from "vitest";
import { logText } from "./log-text.ts";

const time = new Date(2026, 0, 2, 8, 5, 9, 7).getTime();
const text = (entry: object, color = false) =>
  logText(JSON.stringify({ level: 30, time, ...entry }), color);

describe("a log line for people", () => {
  test("has time, level, message and fields", () => {
    expect(
      text({ msg: "hello", run_id: "1f", runs: 2, how: "exit code 1" }),
    ).toBe('08:05:09.007 INFO  hello run_id=1f runs=2 how="exit code 1"\n');
  });

  test("of a request says nothing twice, and its id only when it failed", () => {
    const request = { request_id: "ab", method: "GET", path: "/ok", ms: 1.5 };
    expect(text({ ...request, status: 200, msg: "GET /ok 200 1.5ms" })).toBe(
      "08:05:09.007 INFO  GET /ok 200 1.5ms\n",
    );
    expect(text({ ...request, status: 404, msg: "GET /ok 404 1.5ms" })).toBe(
      "08:05:09.007 INFO  GET /ok 404 1.5ms request_id=ab\n",
    );
  });

  test("shows the stack of an error below it", () => {
    const err = {
      type: "Error",
      message: "boom",
      stack: "Error: boom\n  at x",
    };
    expect(text({ level: 50, msg: "it failed", err })).toBe(
      "08:05:09.007 ERROR it failed\n    Error: boom\n      at x\n",
    );
  });

  test("has colours only when they are asked for", () => {
    expect(text({ level: 40, msg: "careful" })).not.toContain("\u001b");
    expect(text({ level: 40, msg: "careful" }, true)).toContain(
      "\u001b[33mWARN \u001b[39m careful",
    );
  });
});
