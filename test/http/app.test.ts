import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPEN_CORS } from "../../src/config/sections.ts";
import { NOT_YET } from "../../src/http/routes/not-yet.ts";
import { openTestApp, type TestApp } from "../support/apps.ts";

let server: TestApp;
beforeAll(async () => {
  server = await openTestApp();
});
afterAll(() => server.close());

const ID = "0191d0a4-0000-7000-8000-000000000001";

/** `/threads/:thread_id` and `/threads/{id}` are the same path to the router. */
const shape = (path: string): string => path.replaceAll(/:[^/]+/g, ":");

describe("what is not there", () => {
  const routes = NOT_YET.flatMap(([what, ...entries]) =>
    entries.map((entry) => [entry, what] as const),
  );

  test.each(routes)("%s answers 501 with a sentence", async (entry, what) => {
    const [method = "", path = ""] = entry.split(" ");
    const response = await server.app.request(path.replaceAll(/:[^/]+/g, ID), {
      method,
    });
    expect(response.status).toBe(501);
    expect(await response.json()).toEqual({
      detail: `${what} arrives with a later version of Spool`,
    });
  });

  test("no endpoint is announced for later that is served already", () => {
    const served = new Map<string, number>();
    for (const { method, path } of server.app.routes) {
      const key = `${method} ${shape(path)}`;
      served.set(key, (served.get(key) ?? 0) + 1);
    }
    const twice = routes
      .map(([entry]) => shape(entry))
      .filter((entry) => (served.get(entry) ?? 0) > 1);
    expect(twice).toEqual([]);
  });

  test("an unknown path is 404 in JSON", async () => {
    const response = await server.app.request("/nowhere/at/all");
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      detail: "Not found: GET /nowhere/at/all",
    });
  });

  test("a wrong method on a known path is 405 and says which are right", async () => {
    const response = await server.app.request(`/threads/${ID}`, {
      method: "PUT",
    });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("DELETE, GET, HEAD, PATCH");
    expect(await response.json()).toEqual({
      detail: expect.stringContaining("PUT is not allowed here"),
    });
  });

  test("a dot in a known path stands for itself", async () => {
    const response = await server.app.request("/openapiXjson", {
      method: "PUT",
    });
    expect(response.status).toBe(404);
  });

  test("OPTIONS without an origin names the methods", async () => {
    const response = await server.app.request("/ok", { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
  });
});

describe("request ids", () => {
  const idOf = async (asked?: string) => {
    const response = await server.app.request("/ok", {
      headers: asked === undefined ? {} : { "x-request-id": asked },
    });
    return response.headers.get("x-request-id");
  };

  test("a sane one is echoed", async () => {
    expect(await idOf("trace-42/a:b")).toBe("trace-42/a:b");
  });

  test("without one, each request gets its own", async () => {
    const [one, two] = [await idOf(), await idOf()];
    expect(one).toMatch(/^[0-9a-f-]{36}$/);
    expect(two).not.toBe(one);
  });

  test.each([
    ["is longer than 200 characters", "x".repeat(201)],
    ["has a space", "a b"],
    ["is not ASCII", "\u00e9\u00e8"],
  ])("one that %s is replaced", async (_what, asked) => {
    expect(await idOf(asked)).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("errors and unknown paths carry one too", async () => {
    const missing = await server.app.request("/nowhere");
    const later = await server.app.request("/metrics");
    expect(missing.headers.get("x-request-id")).not.toBeNull();
    expect(later.headers.get("x-request-id")).not.toBeNull();
  });
});

describe("CORS", () => {
  const origin = "https://app.example.com";

  const preflight = (app: TestApp["app"], from = origin) =>
    app.request(`/threads/${ID}/runs/stream`, {
      method: "OPTIONS",
      headers: {
        origin: from,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
      },
    });

  test("every origin may ask, without credentials", async () => {
    const response = await server.app.request("/ok", { headers: { origin } });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.has("access-control-allow-credentials")).toBe(
      false,
    );
  });

  test("the headers that SDKs read are exposed", async () => {
    const response = await server.app.request("/ok", { headers: { origin } });
    const exposed = response.headers.get("access-control-expose-headers");
    expect(exposed?.split(",").sort()).toEqual([
      "content-location",
      "location",
      "x-pagination-next",
      "x-pagination-total",
    ]);
  });

  test("a preflight is answered before any route is looked for", async () => {
    const response = await preflight(server.app);
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-methods")).toContain(
      "PATCH",
    );
    expect(response.headers.get("access-control-allow-headers")).toBe(
      "content-type,x-api-key",
    );
    expect(await response.text()).toBe("");
  });

  test("errors are readable from other origins", async () => {
    const response = await server.app.request("/nowhere", {
      headers: { origin },
    });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
  });

  test("a list of origins lets in those on it, by name, and tells caches so", async () => {
    await using picky = await withCors({
      allow_origins: [origin],
      allow_credentials: true,
    });
    const friend = await picky.app.request("/ok", { headers: { origin } });
    const stranger = await preflight(picky.app, "https://evil.example.com");
    expect(friend.headers.get("access-control-allow-origin")).toBe(origin);
    expect(friend.headers.get("access-control-allow-credentials")).toBe("true");
    expect(friend.headers.get("vary")).toBe("Origin");
    expect(stranger.headers.has("access-control-allow-origin")).toBe(false);
    expect(stranger.headers.has("access-control-allow-credentials")).toBe(
      false,
    );
    expect(stranger.headers.get("vary")).toBe("Origin");
  });

  test("a pattern must match the whole origin", async () => {
    await using picky = await withCors({
      allow_origin_regex: "https://[a-z]+\\.example\\.com",
    });
    const from = async (asked: string) => {
      const response = await picky.app.request("/ok", {
        headers: { origin: asked },
      });
      return response.headers.get("access-control-allow-origin");
    };
    expect(await from(origin)).toBe(origin);
    expect(await from("https://app.example.com.evil.org")).toBeNull();
  });

  test("a wildcard with credentials lets in nobody", async () => {
    await using careless = await withCors({ allow_credentials: true });
    const response = await careless.app.request("/ok", { headers: { origin } });
    expect(response.headers.has("access-control-allow-origin")).toBe(false);
  });

  async function withCors(settings: Partial<typeof OPEN_CORS>) {
    const other = await openTestApp({
      http: { cors: { ...OPEN_CORS, ...settings } },
    });
    return { app: other.app, [Symbol.asyncDispose]: other.close };
  }
});

describe("the request log", () => {
  const lines = (path: string) =>
    server.logged.filter((line) => line["path"] === path);

  test("has one line per request, without its query or headers", async () => {
    await server.app.request("/info?token=hunter2", {
      headers: { authorization: "Bearer hunter2", "x-request-id": "log-1" },
    });
    const [line, ...more] = lines("/info");
    expect(more).toEqual([]);
    expect(line).toMatchObject({
      level: 30,
      method: "GET",
      status: 200,
      request_id: "log-1",
      ms: expect.any(Number),
    });
    expect(JSON.stringify(line)).not.toContain("hunter2");
  });

  test("keeps health checks at debug", async () => {
    await server.app.request("/ok");
    expect(lines("/ok").every((line) => line["level"] === 20)).toBe(true);
  });
});
