import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { listen, type Listening } from "../../../src/http/listen.ts";
import { openTestApp, type TestApp } from "../../support/apps.ts";
import { rowCounts } from "../../support/bad-input.ts";
import { NOBODY } from "../../support/sdk.ts";

/* What only a socket shows: bytes that no client library would send. */

let server: TestApp;
let listening: Listening;
let before: Record<string, number>;

beforeAll(async () => {
  server = await openTestApp({ http: { maxBodyBytes: 100_000 } });
  listening = await listen({ host: "127.0.0.1", port: 0 });
  listening.serve(server.app);
  before = await rowCounts(server.database);
});
afterAll(async () => {
  await listening.close(0);
  await server.close();
});
afterEach(async () => {
  expect((await fetch(`${listening.url}/ok`)).status).toBe(200);
  expect(await rowCounts(server.database)).toEqual(before);
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

/** Sends the pieces one after the other, and gives all that comes back until the connection ends. */
function exchange(...pieces: (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(listening.port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece);
    });
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, "Host: x", "Connection: close", ...headers, "", ""].join("\r\n"); // prettier-ignore

const statusOf = (answer: string): number =>
  Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

const chunk = (text: string): string =>
  `${text.length.toString(16)}\r\n${text}\r\n`;

test.each([
  ["a space in the path", "GET /threads/a b HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a bare line feed in a header", "GET /ok HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n"], // prettier-ignore
  ["NUL in a header", "GET /ok HTTP/1.1\r\nHost: x\r\nA: b\u0000c\r\n\r\n"],
  ["a length that is none", "POST /threads HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n{}"], // prettier-ignore
  ["two lengths", "POST /threads HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], // prettier-ignore
  ["a length and chunks", "POST /threads HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"], // prettier-ignore
  ["chunks of no size", `${head("POST /threads", "Transfer-Encoding: chunked")}zz\r\n{}\r\n0\r\n\r\n`], // prettier-ignore
])("%s is 400", async (_name, bytes) => {
  expect(statusOf(await exchange(bytes))).toBe(400);
});

test("headers without end are 431", async () => {
  const bytes = head("GET /ok", `A: ${"x".repeat(100_000)}`);
  expect(statusOf(await exchange(bytes))).toBe(431);
});

test.each(["%0d%0aInjected:%20yes", "%0aInjected:%20yes", "%00"])(
  "an id with %s gets no header into the answer",
  async (id) => {
    const answer = await exchange(head(`GET /threads/${NOBODY}${id}`));
    expect(statusOf(answer)).toBe(422);
    const headers = answer.slice(0, answer.indexOf("\r\n\r\n"));
    expect(headers.toLowerCase()).not.toContain("injected");
  },
);

test.each(["%ff", "%", "%zz", "%c3%28", "%ed%a0%80"])(
  "an id that is no text (%s) is refused",
  async (id) => {
    expect(statusOf(await exchange(head(`GET /threads/${id}`)))).toBe(422);
    expect(statusOf(await exchange(head(`GET /assistants/${id}`)))).toBe(404);
  },
);

test("a body in many small pieces is one body", async () => {
  const body = '{"limit": 0}';
  const answer = await exchange(
    head("POST /threads/search", "Transfer-Encoding: chunked"),
    ...body.split("").map(chunk),
    "0\r\n\r\n",
  );
  expect(statusOf(answer)).toBe(422);
  expect(answer).toContain("limit: ");
});

test("chunks beyond the limit are refused before they end", async () => {
  const answer = await exchange(
    head("POST /threads", "Transfer-Encoding: chunked"),
    chunk("x".repeat(60_000)),
    chunk("x".repeat(60_000)),
  );
  expect(statusOf(answer)).toBe(413);
});

test("a small body that unpacks to a large one is refused, with a length and in chunks", async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, " "));
  expect(bomb.byteLength).toBeLessThan(100_000);
  const plain = await exchange(
    head("POST /threads", "Content-Encoding: gzip", `Content-Length: ${bomb.byteLength}`), // prettier-ignore
    bomb,
  );
  const chunked = await exchange(
    head("POST /threads", "Content-Encoding: gzip", "Transfer-Encoding: chunked"), // prettier-ignore
    `${bomb.byteLength.toString(16)}\r\n`,
    bomb,
    "\r\n0\r\n\r\n",
  );
  expect([plain, chunked].map(statusOf)).toEqual([413, 413]);
});

test("a client that leaves in the middle of its body leaves nothing", async () => {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(
      listening.port,
      "127.0.0.1",
      () =>
      socket.write(head("POST /threads", "Content-Length: 100") + '{"meta', () => socket.destroy()), // prettier-ignore
    );
    socket.on("close", () => resolve());
    socket.on("error", reject);
  });
});
