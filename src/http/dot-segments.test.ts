import { expect, test } from "vitest";
import { keepDotSegments } from "./dot-segments.ts";

const pathOf = (url: string): string =>
  new URL(keepDotSegments(url), "http://host").pathname;

test.each([
  ["/threads/%2E%2E", "/threads/%252E%252E"],
  ["/threads/%2e%2e/runs/%2E", "/threads/%252e%252e/runs/%252E"],
  ["/threads/.%2e/state", "/threads/.%252e/state"],
  ["/threads/%2e./%2e%2e", "/threads/%252e./%252e%252e"],
])("an id of encoded dots stays a segment: %s", (url, path) => {
  expect(pathOf(url)).toBe(path);
});

test.each([
  "/threads/1/state",
  "/store/items?namespace=%2E%2E&key=/%2e%2e/",
  "/assistants/a%2Eb/graph",
  "/assistants/%2E%2E%2E",
  "/assistants/x%2E%2E",
  "",
])("all else is left alone: %s", (url) => {
  expect(keepDotSegments(url)).toBe(url);
});
