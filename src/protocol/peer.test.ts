import { describe, expect, test } from "vitest";
import { deferred } from "../lib/deferred.ts";
import { PROTOCOL_VERSION, type Frame } from "./frames.ts";
import type { Method } from "./method.ts";
import { Peer, type RequestServer } from "./peer.ts";
import { memoryPipe } from "./pipe.ts";

type Requests = {
  echo: Method<unknown, unknown>;
  fail: Method<unknown, unknown>;
  wait: Method<{ key: string }, string>;
};
type Notices = { said: string };

function pair(
  serves: Partial<RequestServer<Requests>> = {},
  maxFrameBytes = 100_000,
) {
  const [here, there] = memoryPipe({ maxFrameBytes });
  const heard: string[] = [];
  const asker = new Peer<
    Record<never, never>,
    Record<never, never>,
    Requests,
    Notices
  >({
    pipe: here,
    runtime: "asker",
    requests: {},
    notices: {},
  });
  const server = new Peer<
    Requests,
    Notices,
    Record<never, never>,
    Record<never, never>
  >({
    pipe: there,
    runtime: "server",
    requests: {
      echo: async (value) => value,
      fail: async () => {
        throw Object.assign(new TypeError("no such thing"), {
          code: "not_found",
        });
      },
      wait: async ({ key }) => key,
      ...serves,
    },
    notices: { said: (text) => void heard.push(text) },
  });
  return { asker, server, heard, pipes: [here, there] as const };
}

describe("a request", () => {
  test("is answered with what the other side returns", async () => {
    const { asker } = pair();
    const value = { a: [1, null, "x"] };
    expect(await asker.request("echo", value)).toEqual(value);
    expect(await asker.request("echo", null)).toBeNull();
  });

  test("is rejected with what the other side throws: name, message, code and stack", async () => {
    const { asker } = pair();
    await expect(asker.request("fail", 1)).rejects.toMatchObject({
      name: "PeerError",
      message: "no such thing",
      remote: {
        name: "TypeError",
        code: "not_found",
        stack: expect.stringContaining("peer.test.ts"),
      },
    });
  });

  test("gets its own answer when answers come out of order", async () => {
    const gates = {
      a: deferred<void>(),
      b: deferred<void>(),
      c: deferred<void>(),
    };
    const order: string[] = [];
    const { asker } = pair({
      wait: async ({ key }) => {
        await gates[key as keyof typeof gates].promise;
        return key;
      },
    });
    const asked = ["a", "b", "c"].map((key) =>
      asker.request("wait", { key }).then((answer) => {
        order.push(answer);
        return answer;
      }),
    );
    for (const key of ["c", "a", "b"] as const) {
      gates[key].resolve();
      await asked["abc".indexOf(key)];
    }
    expect(await Promise.all(asked)).toEqual(["a", "b", "c"]);
    expect(order).toEqual(["c", "a", "b"]);
  });

  test("for a method that nobody serves is rejected, even for one that every object has", async () => {
    const { asker } = pair();
    for (const method of ["nothing", "toString", "constructor"])
      await expect(asker.request(method as "echo", 1)).rejects.toThrow(
        `unknown method ${method}`,
      );
  });

  test("too large to be sent is rejected, and the next one works", async () => {
    const { asker } = pair();
    await expect(asker.request("echo", "x".repeat(200_000))).rejects.toThrow(
      /echo is 200\d+ bytes/,
    );
    expect(await asker.request("echo", "small")).toBe("small");
  });

  test("whose answer is too large is rejected with the reason, and the next one works", async () => {
    const { asker } = pair({ echo: async () => "x".repeat(200_000) });
    await expect(asker.request("echo", 1)).rejects.toMatchObject({
      remote: {
        name: "FrameTooLargeError",
        message: expect.stringContaining("a reply is 200"),
      },
    });
    expect(await asker.request("wait", { key: "a" })).toBe("a");
  });

  test("whose answer cannot be written down is rejected, and the next one works", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const { asker } = pair({ echo: async () => circular });
    await expect(asker.request("echo", 1)).rejects.toMatchObject({
      name: "PeerError",
    });
    expect(await asker.request("wait", { key: "a" })).toBe("a");
  });
});

describe("a notice", () => {
  test("is heard in order, and before the answer to a request that follows", async () => {
    const { asker, heard } = pair();
    void asker.notify("said", "one");
    void asker.notify("said", "two");
    await asker.request("echo", null);
    expect(heard).toEqual(["one", "two"]);
  });

  test("that nobody listens to is ignored", async () => {
    const { asker } = pair();
    await asker.notify("toString" as "said", "x");
    await asker.notify("unheard" as "said", "x");
    expect(await asker.request("echo", 1)).toBe(1);
  });

  test("waits while the other side does not read", async () => {
    const { asker, pipes } = pair();
    await asker.ready;
    pipes[1].pause();
    let sent = 0;
    const sending = (async () => {
      for (; sent < 1000; sent++)
        await asker.notify("said", "x".repeat(50_000));
    })();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sent).toBeLessThan(20);
    pipes[1].resume();
    await sending;
  });
});

describe("when the other side is gone", () => {
  test("what was asked is rejected, and so is what is asked later", async () => {
    const { asker, server } = pair({ wait: () => new Promise(() => {}) });
    const asked = asker.request("wait", { key: "a" });
    await asker.request("echo", 1);
    server.close();
    await expect(asked).rejects.toMatchObject({ name: "PeerClosedError" });
    expect(await asker.closed).toBeUndefined();
    await expect(asker.request("echo", 1)).rejects.toThrow(
      "echo: the pipe is closed",
    );
    await asker.notify("said", "into the void");
  });

  test("a request that is still being sent is rejected, and nothing goes unhandled", async () => {
    const { asker, server, pipes } = pair();
    await asker.ready;
    pipes[1].pause();
    const asked = Array.from({ length: 20 }, () =>
      asker
        .request("echo", "x".repeat(50_000))
        .catch((error: Error) => error.name),
    );
    server.close();
    expect(new Set(await Promise.all(asked))).toEqual(
      new Set(["PeerClosedError"]),
    );
  });

  test("an answer to it is dropped", async () => {
    const gate = deferred<string>();
    const { asker, server } = pair({ wait: () => gate.promise });
    asker.request("wait", { key: "a" }).catch(() => {});
    await asker.request("echo", 1);
    asker.close();
    await server.closed;
    gate.resolve("too late");
    await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would fail the run
  });

  test("an answer that fails while its request waits to be sent does not end the process", async () => {
    const [here, there] = memoryPipe();
    const asker = new Peer<
      Record<never, never>,
      Record<never, never>,
      Requests,
      Notices
    >({
      pipe: here,
      runtime: "asker",
      requests: {},
      notices: {},
    });
    there.receive(
      (frame) => {
        if (frame.t !== "request") return;
        there.pause(); // the sender now waits for room
        const error = { name: "Error", message: "refused" };
        void there.send({ t: "failure", id: frame.id, error });
      },
      () => {},
    );
    const asked = asker.request("echo", "x");
    const more = Array.from({ length: 10 }, () =>
      asker.request("echo", "x".repeat(50_000)).catch(() => "gone"),
    );
    await expect(asked).rejects.toThrow("refused");
    await new Promise((resolve) => setTimeout(resolve, 20));
    asker.close();
    expect(await Promise.all(more)).toEqual(more.map(() => "gone"));
  });
});

describe("the greeting", () => {
  test("says what runs on the other side", async () => {
    const { asker, server } = pair();
    expect(await asker.ready).toEqual({ runtime: "server" });
    expect(await server.ready).toEqual({ runtime: "asker" });
  });

  test("in another version ends it, and says what to do", async () => {
    const [here, there] = memoryPipe();
    const peer = new Peer({
      pipe: here,
      runtime: "node",
      requests: {},
      notices: {},
    });
    const got: Frame[] = [];
    const closed = deferred<Error | undefined>();
    there.receive((frame) => got.push(frame), closed.resolve);
    await there.send({
      t: "hello",
      version: PROTOCOL_VERSION + 1,
      runtime: "python 3.14",
    });
    await expect(peer.ready).rejects.toThrow(
      `the other side (python 3.14) speaks version ${PROTOCOL_VERSION + 1} of the worker protocol, this side version ${PROTOCOL_VERSION}; install the same version`,
    );
    expect((await peer.closed)?.message).toContain("python 3.14");
    await closed.promise;
    expect(got[0]).toMatchObject({ t: "hello", version: PROTOCOL_VERSION });
  });

  test("that never comes leaves `ready` rejected when the pipe closes", async () => {
    const [here, there] = memoryPipe();
    const peer = new Peer({
      pipe: here,
      runtime: "node",
      requests: {},
      notices: {},
    });
    there.receive(
      () => {},
      () => {},
    );
    there.close();
    await expect(peer.ready).rejects.toMatchObject({ name: "PeerClosedError" });
  });
});
