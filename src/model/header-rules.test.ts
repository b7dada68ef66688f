import { expect, test } from "vitest";
import { headerFilter, SECRET_HEADERS } from "./header-rules.ts";

const headers = {
  "x-user-id": "ada",
  "X-Team": "blue",
  "x-team-secret": "s",
  "user-agent": "curl",
  authorization: "Bearer s",
  "x-api-key": "s",
};

const passed = (includes: string[], excludes: string[] = []) =>
  headerFilter({ includes, excludes })(headers);

test("without rules no header passes", () => {
  expect(headerFilter(null)(headers)).toEqual({});
  expect(passed([])).toEqual({});
});

test("names and patterns are compared without case, and names come in lower case", () => {
  expect(passed(["X-User-ID", "x-te*"])).toEqual({
    "x-user-id": "ada",
    "x-team": "blue",
    "x-team-secret": "s",
  });
  expect(passed(["*-agent"])).toEqual({ "user-agent": "curl" });
});

test("a pattern is no regular expression", () => {
  expect(passed(["x.user.id", "x-user-id|user-agent", "("])).toEqual({});
});

test("excludes win", () => {
  expect(passed(["x-*"], ["*secret*"])).toEqual({
    "x-user-id": "ada",
    "x-team": "blue",
  });
});

test("secrets never pass, even when they are asked for", () => {
  const all = Object.fromEntries(SECRET_HEADERS.map((name) => [name, "s"]));
  const includes = ["*", ...SECRET_HEADERS];
  expect(headerFilter({ includes, excludes: [] })(all)).toEqual({});
});
