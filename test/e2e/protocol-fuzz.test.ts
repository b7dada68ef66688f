import fc from "fast-check";
import { once } from "node:events";
import { request } from "node:http";
import { expect, test } from "vitest";
import {
  command,
  commanded,
  newThreadId,
  openSocket,
  ProtocolSocket,
  reading,
  type Answer,
} from "../support/protocol.ts";
import { NASTY_TEXTS, nastyValue } from "../support/nasty.ts";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer({ env: { HTTP_MAX_REQUEST_BODY_BYTES: "1000000" } });

const CODES = new Set([
  ...["invalid_argument", "unknown_command", "unknown_error", "no_such_run"],
  ...["no_such_subscription", "no_such_namespace", "no_such_interrupt"],
  ...["no_such_checkpoint", "permission_denied", "not_supported"],
]);

const METHODS = [
  ...["run.start", "input.respond", "input.inject", "state.get"],
  ...["state.listCheckpoints", "state.fork", "agent.getTree"],
  ...["subscription.subscribe", "subscription.unsubscribe"],
  ...["subscription.reconnect", "constructor", "__proto__", ""],
];

const NAMES = [
  ...["assistant_id", "input", "config", "metadata", "namespace", "keys"],
  ...["interrupt_id", "response", "responses", "update", "goto", "message"],
  ...["checkpoint_id", "limit", "before", "run_id", "channels", "namespaces"],
  ...["depth", "since", "subscription_id", "subscriptions", "last_event_id"],
  ...["multitaskStrategy", "langsmith_tracer", "strict_resume"],
];

/** Parameters whose names mean something and whose values need not. */
const params = fc.dictionary(fc.constantFrom(...NAMES), nastyValue, {
  maxKeys: 5,
});

const commands = fc.record({
  id: fc.nat(),
  method: fc.oneof(
    fc.constantFrom(...METHODS),
    fc.constantFrom(...NASTY_TEXTS),
  ),
  params,
});

function expectAnswer(answer: Answer): void {
  if (answer.type === "success") expect(typeof answer.result).toBe("object");
  else {
    expect(answer.type).toBe("error");
    expect(CODES).toContain(answer.error);
    expect(answer.error).not.toBe("unknown_error");
    expect(answer.message?.length).toBeGreaterThan(0);
  }
}

test("any command over HTTP is answered in the protocol's words", async () => {
  const threadId = newThreadId();
  await fc.assert(
    fc.asyncProperty(commands, async (given) => {
      const path = `/threads/${threadId}/commands`;
      const answer = await server.send("POST", path, given);
      // Nested too deep: that is no JSON that anybody reads.
      if (answer.status === 422) await answer.body?.cancel();
      else expectAnswer((await answer.json()) as Answer);
    }),
    { numRuns: 150 },
  );
});

test("any body is a command, or is refused with the field's name", async () => {
  const path = `/threads/${newThreadId()}/commands`;
  await fc.assert(
    fc.asyncProperty(nastyValue, async (body) => {
      const answer = await server.send("POST", path, body);
      expect([200, 400, 422]).toContain(answer.status);
      await answer.body?.cancel();
    }),
    { numRuns: 100 },
  );
});

test("any filter opens a stream, or is refused with the field's name", async () => {
  const path = `/threads/${newThreadId()}/stream/events`;
  const filters = fc.record(
    {
      channels: nastyValue,
      namespaces: nastyValue,
      depth: nastyValue,
      since: nastyValue,
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(filters, async (filter) => {
      const answer = await server.send("POST", path, filter);
      expect([200, 400, 422]).toContain(answer.status);
      await answer.body?.cancel();
    }),
    { numRuns: 100 },
  );
});

test("any frame on a WebSocket is answered, and none closes it", async () => {
  const socket = await openSocket(server, newThreadId());
  const frames = fc.oneof(
    commands.map((given) => JSON.stringify(given)),
    nastyValue.map((given) => JSON.stringify(given)),
    fc.constantFrom(...NASTY_TEXTS),
    fc
      .uint8Array({ minLength: 1, maxLength: 50 })
      .map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(frames, async (frame) => {
      expectAnswer(await socket.tell(frame));
      expect(socket.closeCode).toBe(null);
    }),
    { numRuns: 200 },
  );
});

test("what is no command is told so in words of its own", async () => {
  const socket = await openSocket(server, newThreadId());
  expect(await socket.tell("{")).toEqual({
    ...{ type: "error", id: null, error: "invalid_argument" },
    message: "Protocol commands must be valid JSON.",
  });
  expect(await socket.tell('{"id":"1","method":"state.get"}')).toEqual({
    ...{ type: "error", id: null, error: "invalid_argument" },
    message: "Protocol commands must include an integer id and string method.",
  });
  expect(
    await socket.command("subscription.subscribe", { channels: [] }),
  ).toMatchObject({
    error: "invalid_argument",
    message: "channels: must name a channel at least",
  });
});

test("when its thread is deleted a stream ends, and a socket is closed with what a thread is that is not there", async () => {
  const threadId = newThreadId();
  const stream = await reading(server, threadId);
  const socket = await openSocket(server, threadId);
  await socket.command("subscription.subscribe", { channels: ["values"] });
  await commanded(server, threadId, "run.start", {
    assistant_id: "slow",
    input: { steps: 50, seconds: 0.2 },
  });
  await waitFor("it runs", () => socket.events.length > 0);
  await server.client.threads.delete(threadId);
  await waitFor("it is closed", () => socket.closeCode);
  expect(socket.closeCode).toBe(4404);
  await waitFor("it has ended", () => stream.isOver);
});

test("a socket that is refused is closed with 4000 and the HTTP status", async () => {
  const socket = new ProtocolSocket(server, "no-uuid");
  await waitFor("it is closed", () => socket.closeCode);
  expect(socket.closeCode).toBe(4422);
});

test("a frame that is larger than a body may be closes its socket", async () => {
  const socket = await openSocket(server, newThreadId());
  socket.socket.send("x".repeat(1_000_001));
  await waitFor("it is closed", () => socket.closeCode);
  expect(socket.closeCode).toBe(1009);
});

test("an offer to change to another protocol is passed over, and so is a stream address without one", async () => {
  const answer = request(`${server.url}/info`, {
    headers: { connection: "upgrade, http2-settings", upgrade: "h2c" },
  }).end();
  const [{ statusCode }] = (await once(answer, "response")) as [
    { statusCode: number },
  ];
  expect(statusCode).toBe(200);
  answer.destroy();
  const plain = await server.fetch(`/threads/${newThreadId()}/stream/events`);
  expect(plain.status).toBe(426);
});

test("a socket that stops reading is not written to without bound, and others see all", async () => {
  const threadId = newThreadId();
  const stuck = await openSocket(server, threadId);
  await stuck.command("subscription.subscribe", {
    channels: ["custom", "lifecycle"],
  });
  stuck.socket.pause();
  const reader = await reading(server, threadId, {
    channels: ["custom", "lifecycle"],
  });
  await command(server, threadId, "run.start", {
    assistant_id: "chatty",
    input: { count: 1000, size: 5000 },
  });
  await reader.runs();
  const count = reader.events.length;
  expect(count).toBeGreaterThan(1000);
  stuck.socket.resume();
  expect((await stuck.runs()).length).toBe(count);
});
