import { expect, test } from "vitest";
import { useServer } from "../support/server.ts";

const server = useServer();

const json = async (path: string) => {
  const answer = await server.fetch(path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
};

test("the server says that it is well, with and without asking its database", async () => {
  expect(await json("/ok")).toEqual({ ok: true });
  expect(await json("/ok?check_db=1")).toMatchObject({ ok: true });
});

test("info names the version, the library and what is served", async () => {
  const info = await json("/info");
  expect(info).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    langgraph_js_version: expect.stringMatching(/^1\./),
    context: "js",
    flags: { assistants: true },
  });
});

test("the API describes itself, for programs and for people", async () => {
  const api = await json("/openapi.json");
  expect(api["openapi"]).toMatch(/^3\.1/);
  const paths = Object.keys(api["paths"] as object);
  expect(paths).toEqual(
    expect.arrayContaining([
      "/threads",
      "/threads/search",
      "/threads/{thread_id}/state",
      "/threads/{thread_id}/history",
      "/threads/{thread_id}/runs/stream",
      "/runs/wait",
      "/assistants/search",
    ]),
  );
  const docs = await server.fetch("/docs");
  expect(docs.headers.get("content-type")).toMatch(/^text\/html/);
});

test("a request keeps the id that it came with, or gets one", async () => {
  const own = await server.fetch("/ok", {
    headers: { "x-request-id": "mine" },
  });
  expect(own.headers.get("x-request-id")).toBe("mine");
  const other = await server.fetch("/ok");
  expect(other.headers.get("x-request-id")).toMatch(/.{8,}/);
});

test("a page from anywhere may call, and read what it needs", async () => {
  const origin = "http://example.com";
  const preflight = await server.fetch("/threads", {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,x-api-key",
    },
  });
  expect(preflight.status).toBeLessThan(300);
  expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
  const answer = await server.fetch("/ok", { headers: { origin } });
  const exposed = (answer.headers.get("access-control-expose-headers") ?? "")
    .toLowerCase()
    .split(/,\s*/);
  expect(exposed).toEqual(
    expect.arrayContaining([
      "content-location",
      "location",
      "x-pagination-total",
      "x-pagination-next",
    ]),
  );
});

test("what a later version brings says so, and is neither missing nor broken", async () => {
  const later: [method: string, path: string][] = [["POST", "/mcp"]];
  for (const [method, path] of later) {
    const answer = await server.send(
      method,
      path,
      method === "GET" ? undefined : {},
    );
    const { detail } = (await answer.json()) as { detail: string };
    expect([path, answer.status]).toEqual([path, 501]);
    expect(detail.length).toBeGreaterThan(10);
  }
});

test("an unknown path is not found, in JSON", async () => {
  const answer = await server.fetch("/nowhere");
  expect(answer.status).toBe(404);
  expect(await answer.json()).toHaveProperty("detail");
});
