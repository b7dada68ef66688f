import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AppError, conflict, unavailable } from "../../src/model/errors.ts";
import { openTestApp, postJson, type TestApp } from "../support/apps.ts";

let server: TestApp;
const MAX_BYTES = 100_000;

beforeAll(async () => {
  server = await openTestApp({ http: { maxBodyBytes: MAX_BYTES } });
  const { app } = server;
  const failWith = (path: string, error: Error) =>
    app.get(path, () => {
      throw error;
    });
  failWith("/throws/unknown", new TypeError("secret of the house"));
  failWith("/throws/internal", new AppError("internal_error", "secret too"));
  failWith("/throws/conflict", conflict("Thread is busy"));
  failWith("/throws/unavailable", unavailable("no worker is ready"));
  failWith(
    "/throws/full",
    new AppError("storage_full", "the disk is full; free some space"),
  );
});
afterAll(() => server.close());

/** Creates a thread: an endpoint whose body has fields of all kinds. */
const send = (
  body: RequestInit["body"],
  headers: Record<string, string> = { "content-type": "application/json" },
) => server.app.request("/threads", { method: "POST", headers, body: body! });

const threadOf = async (response: Response) => {
  const body = (await response.json()) as { metadata: unknown };
  expect({ status: response.status, body }).toMatchObject({ status: 200 });
  return body;
};

const detailOf = async (response: Response) =>
  ((await response.json()) as { detail: string }).detail;

describe("errors", () => {
  test("ours are shown as they are", async () => {
    const response = await server.app.request("/throws/conflict");
    expect(response.status).toBe(409);
    expect(await response.json()).toEqual({ detail: "Thread is busy" });
  });

  test.each(["/throws/unknown", "/throws/internal"])(
    "%s says nothing but the request id, and is logged with its stack",
    async (path) => {
      const response = await server.app.request(path, {
        headers: { "x-request-id": `of${path}` },
      });
      expect(response.status).toBe(500);
      expect(await response.json()).toEqual({
        detail: `internal error; request id of${path}`,
      });
      const line = server.logged.find(
        (entry) => entry["request_id"] === `of${path}` && "err" in entry,
      );
      expect(line?.["err"]).toMatchObject({
        message: expect.stringContaining("secret"),
        stack: expect.stringContaining("errors.test.ts"),
      });
    },
  );

  test("unavailable is 503 and says when to come back", async () => {
    const response = await server.app.request("/throws/unavailable");
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test("a full disk is 507", async () => {
    const response = await server.app.request("/throws/full");
    expect(response.status).toBe(507);
    expect(await detailOf(response)).toContain("free some space");
  });
});

describe("validation", () => {
  test("names every wrong field, in words and as a list", async () => {
    const response = await postJson(server.app, "/threads", {
      thread_id: "x",
      if_exists: "maybe",
      supersteps: [{ updates: [{ values: {} }] }],
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toEqual({
      detail:
        "thread_id: must be a UUID; if_exists: must be one of raise, do_nothing; supersteps[0].updates[0].as_node: required",
      errors: [
        { field: "thread_id", message: "must be a UUID" },
        { field: "if_exists", message: "must be one of raise, do_nothing" },
        { field: "supersteps[0].updates[0].as_node", message: "required" },
      ],
    });
  });

  test("an id in the path that is no UUID is 422", async () => {
    const response = await server.app.request("/threads/mine");
    expect(response.status).toBe(422);
    expect(await detailOf(response)).toBe("thread_id: must be a UUID");
  });

  test("a query is checked like a body", async () => {
    const response = await server.app.request("/ok?check_db=perhaps");
    expect(response.status).toBe(422);
    expect(await detailOf(response)).toBe("check_db: must be true or false");
  });

  test("a thousand wrong items are not a thousand lines", async () => {
    const response = await postJson(server.app, "/threads/search", {
      ids: Array.from({ length: 1000 }, () => 1),
    });
    const { errors } = (await response.json()) as { errors: unknown[] };
    expect(errors).toHaveLength(20);
  });
});

describe("bodies", () => {
  test("malformed JSON is 422 and names the body", async () => {
    const response = await send('{"metadata": ');
    expect(response.status).toBe(422);
    expect(await detailOf(response)).toMatch(/^body: is not valid JSON: /);
  });

  test("an error message does not carry a long body back", async () => {
    const response = await send(`{"metadata": ${"x".repeat(50_000)}`);
    expect((await detailOf(response)).length).toBeLessThan(300);
  });

  test("bad UTF-8 is 422", async () => {
    const bytes = Buffer.from('{"metadata": {"a": "??"}}', "latin1");
    bytes.set([0xc3, 0x28], bytes.indexOf("??"));
    const response = await send(bytes);
    expect(response.status).toBe(422);
    expect(await detailOf(response)).toBe("body: is not valid UTF-8");
  });

  test.each(["null", "[]", '"text"', "1"])(
    "%s is not the object that was asked for",
    async (body) => {
      const response = await send(body);
      expect(response.status).toBe(422);
      expect(await detailOf(response)).toBe("body: expected object");
    },
  );

  test("no body at all is an empty object", async () => {
    const response = await server.app.request("/threads", { method: "POST" });
    expect(await threadOf(response)).toMatchObject({ metadata: {} });
  });

  test.each([
    "application/json; charset=utf-8",
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/x-www-form-urlencoded", // what curl -d says
  ])("%s is read as JSON", async (type) => {
    const response = await send('{"metadata": {"a": 1}}', {
      "content-type": type,
    });
    expect(await threadOf(response)).toMatchObject({ metadata: { a: 1 } });
  });

  test("NUL and half surrogates become U+FFFD, and nothing else changes", async () => {
    const response = await send(
      String.raw`{"metadata": {"nul": "a\u0000b", "half": "\ud800!", "pair": "\ud83d\ude00", "text": "\\u0000 \\\\ud800", "\u0000": 1}}`,
    );
    expect(await threadOf(response)).toMatchObject({
      metadata: {
        nul: "a\ufffdb",
        half: "\ufffd!",
        pair: "😀",
        text: String.raw`\u0000 \\ud800`,
        "\ufffd": 1,
      },
    });
  });

  test("a member called __proto__ is data and changes no prototype", async () => {
    const response = await send('{"metadata": {"__proto__": {"polluted": 1}}}');
    const { metadata } = await threadOf(response);
    expect(Object.getOwnPropertyNames(metadata)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("nesting has a limit, and brackets in strings are none", async () => {
    const deep = `{"metadata": ${"[".repeat(40_000)}`;
    const flat = `{"metadata": {"a": "${'[{\\"'.repeat(2000)}"}}`;
    const response = await send(deep);
    expect(response.status).toBe(422);
    expect(await detailOf(response)).toMatch(/^body: is nested deeper than/);
    await threadOf(await send(flat));
  });
});

describe("the limit of a body", () => {
  const large = JSON.stringify({ metadata: { a: "x".repeat(MAX_BYTES) } });
  const small = JSON.stringify({ metadata: { a: "x" } });

  test("is checked before reading when the length is told", async () => {
    const response = await send(small, {
      "content-length": String(MAX_BYTES + 1),
    });
    expect(response.status).toBe(413);
    expect(await detailOf(response)).toContain("HTTP_MAX_REQUEST_BODY_BYTES");
  });

  test("is checked while reading when it is not", async () => {
    const response = await send(large);
    expect(response.status).toBe(413);
    expect(response.headers.get("connection")).toBe("close");
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ])("counts what comes out of %s", async (encoding, compress) => {
    const headers = { "content-encoding": encoding };
    const bomb = compress(Buffer.from(large));
    expect(bomb.byteLength).toBeLessThan(1000);
    expect((await send(bomb, headers)).status).toBe(413);
    const fine = await send(compress(Buffer.from(small)), headers);
    expect(await threadOf(fine)).toMatchObject({ metadata: { a: "x" } });
  });

  test("broken gzip is 422, an unknown encoding 415", async () => {
    const broken = await send("not gzip", { "content-encoding": "gzip" });
    const unknown = await send(small, { "content-encoding": "zip" });
    expect(broken.status).toBe(422);
    expect(await detailOf(broken)).toBe("body: is not valid gzip data");
    expect(unknown.status).toBe(415);
  });
});
