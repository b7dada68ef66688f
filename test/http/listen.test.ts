import { request as send } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listen, type Listening } from "../../src/http/listen.ts";
import { deferred } from "../../src/lib/deferred.ts";
import { openTestApp, type TestApp } from "../support/apps.ts";

let server: TestApp;
let listening: Listening;

beforeEach(async () => {
  server = await openTestApp({ http: { maxBodyBytes: 100_000 } });
});
afterEach(async () => {
  await listening.close(0);
  await server.close();
});

const start = async (port = 0) => {
  listening = await listen({ host: "127.0.0.1", port });
  listening.serve(server.app);
  return listening;
};

describe("listening", () => {
  test("port 0 takes a free one and tells which", async () => {
    const { url, port } = await start();
    expect(port).toBeGreaterThan(0);
    expect(url).toBe(`http://127.0.0.1:${port}`);
    expect(await (await fetch(`${url}/ok`)).json()).toEqual({ ok: true });
  });

  test("a request that comes before the routes are there waits for them", async () => {
    listening = await listen({ host: "127.0.0.1", port: 0 });
    const answer = fetch(`${listening.url}/ok`);
    const early = await Promise.race([
      answer,
      new Promise((resolve) => setTimeout(resolve, 50, "waits")),
    ]);
    expect(early).toBe("waits");
    listening.serve(server.app);
    expect(await (await answer).json()).toEqual({ ok: true });
  });

  test("a port that is taken is an error with the port, the remedy and the code", async () => {
    const { port } = await start();
    const second = listen({ host: "127.0.0.1", port });
    await expect(second).rejects.toMatchObject({
      code: "EADDRINUSE",
      message: `port ${port} on 127.0.0.1 is taken by another program; stop it, or choose another port with --port`,
    });
  });

  test("a body that says it is too large is refused without being read", async () => {
    const { port } = await start();
    const head = `POST /threads HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n`;
    const answer = await raw(port, `${head}{"the rest": "never comes`);
    expect(answer).toContain("413 Payload Too Large");
    expect(answer.toLowerCase()).toContain("connection: close");
  });

  test("a chunked body is measured as it comes", async () => {
    const { port } = await start();
    const status = await new Promise((resolve, reject) => {
      const request = send(
        { port, host: "127.0.0.1", path: "/threads", method: "POST" },
        (response) => resolve(response.statusCode),
      ).on("error", reject);
      for (let index = 0; index < 20; index += 1)
        request.write("x".repeat(10_000));
      request.end();
    });
    expect(status).toBe(413);
  });

  test("a client cannot put a header of its own into our answer", async () => {
    const { port } = await start();
    const answer = await raw(
      port,
      "GET /ok HTTP/1.1\r\nHost: x\r\nx-request-id: a\rInjected: yes\r\nConnection: close\r\n\r\n",
    );
    expect(answer.toLowerCase()).not.toContain("\ninjected:");
    expect(answer).not.toContain("\rInjected");
  });

  test("what is no HTTP at all is 400 and leaves the server well", async () => {
    const { url, port } = await start();
    expect(await raw(port, "hello\r\n\r\n")).toContain("400 Bad Request");
    expect((await fetch(`${url}/ok`)).status).toBe(200);
  });
});

describe("closing", () => {
  test("idle keep-alive connections do not hold it up", async () => {
    const { url, close } = await start();
    await (await fetch(`${url}/ok`)).text(); // leaves its connection open
    const started = performance.now();
    await close(10_000);
    expect(performance.now() - started).toBeLessThan(2000);
    await expect(fetch(`${url}/ok`)).rejects.toThrow("fetch failed");
  });

  test("a request in flight is answered first", async () => {
    const { url, close } = await startWithGate();
    const answer = fetch(`${url}/gate`).then((response) => response.json());
    await arrived.promise;
    const closing = close(10_000);
    gate.resolve();
    expect(await answer).toEqual({ open: true });
    await closing;
  });

  test("at the deadline what still runs is cut off", async () => {
    const { url, close } = await startWithGate();
    const answer = fetch(`${url}/gate`).then(
      () => "answered",
      () => "cut off",
    );
    await arrived.promise;
    await close(50);
    expect(await answer).toBe("cut off");
    gate.resolve();
  });

  let gate = deferred<void>();
  let arrived = deferred<void>();

  function startWithGate(): Promise<Listening> {
    gate = deferred();
    arrived = deferred();
    server.app.get("/gate", async (c) => {
      arrived.resolve();
      await gate.promise;
      return c.json({ open: true });
    });
    return start();
  }
});

/** What the server answers to these very bytes. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}
