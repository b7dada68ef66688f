/** Two instances on one Postgres behind the nginx of deploy/, as deploy/compose.yaml has them. */
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { hasNginx, startNginx, type Nginx } from "../support/nginx.ts";
import { createDatabase, type CreatedDatabase } from "../support/postgres.ts";
import { TestServer } from "../support/server.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

if (!hasNginx())
  process.stderr.write(
    "deploy/nginx.conf is not tested: no nginx is installed\n",
  );

describe.skipIf(!hasNginx())("behind nginx", () => {
  let database: CreatedDatabase;
  let servers: TestServer[] = [];
  let nginx: Nginx;
  let client: Client;

  beforeAll(async () => {
    database = await createDatabase();
    const env = { POSTGRES_URI: database.uri };
    servers = [0, 1].map(() => new TestServer({ env, workers: 1 }));
    for (const server of servers) await server.start();
    nginx = await startNginx(servers.map(({ url }) => url));
    client = new Client({
      apiUrl: nginx.url,
      callerOptions: { maxRetries: 0 },
    });
  });

  afterAll(async () => {
    await nginx?.[Symbol.asyncDispose]();
    for (const server of servers) await server.close({ keep: false });
    await database?.drop();
  });

  test("what one instance has created the other one streams, event by event", async () => {
    const [one, other] = servers as [TestServer, TestServer];
    const { thread_id } = await one.client.threads.create();
    expect((await other.client.threads.get(thread_id)).thread_id).toBe(
      thread_id,
    );
    const { run_id } = await one.client.runs.create(thread_id, "slow", {
      input: { steps: 3, seconds: 1 },
      streamMode: ["custom"],
      streamResumable: true,
    });
    const arrivals: number[] = [];
    const start = Date.now();
    for await (const { event } of client.runs.joinStream(thread_id, run_id, {
      streamMode: ["custom"],
    }))
      if (event === "custom") arrivals.push(Date.now() - start);
    expect(arrivals).toHaveLength(3);
    // A proxy that holds events back gives all of them at the end.
    expect(arrivals[2]! - arrivals[0]!).toBeGreaterThan(1000);
    expect((await other.client.runs.get(thread_id, run_id)).status).toBe(
      "success",
    );
  });

  test("a WebSocket goes through, and tokens come as they are made", async () => {
    const thread = client.threads.stream({
      assistantId: "agent",
      transport: "websocket",
      webSocketFactory: (url: string) => new WebSocket(url) as never,
    });
    try {
      await thread.run.start({
        input: { messages: [{ role: "user", content: "hello" }] },
      });
      const tokens: string[] = [];
      for await (const message of thread.messages)
        for await (const token of message.text) tokens.push(token);
      expect(tokens.length).toBeGreaterThan(3);
    } finally {
      await thread.close();
    }
  });

  test("a body of several megabytes goes through", async () => {
    const text = "x".repeat(5 * 1024 * 1024);
    const { thread_id } = await client.threads.create({ metadata: { text } });
    const { metadata } = await client.threads.get(thread_id);
    expect(metadata?.["text"]).toHaveLength(text.length);
  });

  // Last: it kills one of them.
  test("when an instance is killed the other one answers, and nobody notices", async () => {
    const { thread_id } = await client.threads.create();
    await servers[0]?.kill9();
    for (let request = 0; request < 20; request += 1)
      expect((await client.threads.get(thread_id)).thread_id).toBe(thread_id);
    const values = await client.runs.wait(thread_id, "agent", {
      input: { messages: [{ role: "user", content: "still there?" }] },
    });
    expect(values).toHaveProperty("messages");
  });
});
