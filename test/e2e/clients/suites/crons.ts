import { randomUUID } from "node:crypto";
import type { Client } from "@langchain/langgraph-sdk";
import { describe, expect, test } from "vitest";
import { NOBODY, TIMESTAMP, UUID } from "../../../support/sdk.ts";
import { eventually, expectAborted, expectRefused, type Driven } from "./driven.ts"; // prettier-ignore

/** Far enough away that nothing fires while a test runs. */
const YEARLY = "0 0 1 1 *";

type Payload = NonNullable<Parameters<Client["crons"]["create"]>[1]>;

/** What both versions of the client send with a new cron. */
const FULL = {
  schedule: YEARLY,
  input: { to: "Ada" },
  metadata: { team: "blue" },
  config: { tags: ["a"] },
  context: { language: "en" },
  interruptBefore: ["approve"],
  interruptAfter: "*",
  webhook: "https://example.com/hook",
  multitaskStrategy: "enqueue",
  checkpointDuring: true,
  durability: "sync",
  enabled: false,
  onRunCompleted: "keep",
} satisfies Payload;

const SENT = {
  input: FULL.input,
  metadata: FULL.metadata,
  config: FULL.config,
  context: FULL.context,
  interrupt_before: ["approve"],
  interrupt_after: "*",
  webhook: FULL.webhook,
  durability: "sync",
};

/** C1 to C7. */
export function cronSuite(driven: Driven): void {
  const crons = () => driven.client.crons;
  const threads = () => driven.client.threads;

  describe("crons", () => {
    test("create", async () => {
      const cron = await crons().create("approval", FULL);
      expect(cron).toMatchObject({
        cron_id: expect.stringMatching(UUID),
        assistant_id: expect.stringMatching(UUID),
        thread_id: null,
        schedule: YEARLY,
        on_run_completed: "keep",
        enabled: false,
        next_run_date: null,
        created_at: expect.stringMatching(TIMESTAMP),
        metadata: FULL.metadata,
        payload: SENT,
      });
      const plain = await crons().create("approval", { schedule: YEARLY });
      expect(plain).toMatchObject({
        on_run_completed: "delete",
        enabled: true,
        next_run_date: expect.stringMatching(/-01-01T00:00:00/),
      });
      await expectRefused(
        crons().create("nobody", { schedule: YEARLY }),
        404,
        /^No assistant found for "nobody"/,
      );
      await expectRefused(
        crons().create("approval", { schedule: "every day" }),
        422,
        /^schedule: must be a cron expression/,
      );
      await expectRefused(crons().create("approval"), 422, "schedule: required"); // prettier-ignore
      await expectAborted((options) =>
        crons().create("approval", { schedule: YEARLY, ...options }),
      );
    });

    test("createForThread", async () => {
      const { thread_id } = await threads().create();
      const cron = await crons().createForThread(thread_id, "approval", {
        ...FULL,
        multitaskStrategy: "interrupt",
      });
      expect(cron).toMatchObject({
        thread_id,
        on_run_completed: null,
        payload: { ...SENT, multitask_strategy: "interrupt" },
      });
      await expectRefused(
        crons().createForThread(NOBODY, "approval", { schedule: YEARLY }),
        404,
      );
      await expectRefused(
        crons().createForThread(thread_id, "approval"),
        422,
        "schedule: required",
      );
      await expectAborted((options) =>
        crons().createForThread(thread_id, "approval", {
          schedule: YEARLY,
          ...options,
        }),
      );
    });

    test("update", async () => {
      const { cron_id } = await crons().create("approval", FULL);
      const changed = await crons().update(cron_id, {
        schedule: "0 12 1 1 *",
        endTime: "2999-01-01T00:00:00Z",
        input: { to: "Bob" },
        metadata: { size: 1 },
        config: { tags: ["b"] },
        context: { language: "fr" },
        webhook: "https://example.com/other",
        interruptBefore: "*",
        interruptAfter: ["send"],
        onRunCompleted: "delete",
        enabled: true,
      });
      expect(changed).toMatchObject({
        cron_id,
        schedule: "0 12 1 1 *",
        end_time: "2999-01-01T00:00:00.000Z",
        on_run_completed: "delete",
        enabled: true,
        next_run_date: expect.stringMatching(/-01-01T12:00:00/),
        metadata: { team: "blue", size: 1 },
        payload: {
          input: { to: "Bob" },
          config: { tags: ["b"] },
          context: { language: "fr" },
          webhook: "https://example.com/other",
          interrupt_before: "*",
          interrupt_after: ["send"],
          durability: "sync",
        },
      });
      expect(await crons().update(cron_id, { endTime: null })).toMatchObject({
        end_time: null,
        schedule: "0 12 1 1 *",
      });
      await expectRefused(
        crons().update(NOBODY, { enabled: true }),
        404,
        "Cron not found",
      );
      await expectRefused(
        crons().update(cron_id, { endTime: "2000-01-01T00:00:00Z" }),
        422,
        "end_time: must be in the future",
      );
      await expectAborted((options) => crons().update(cron_id, options));
    });

    test("search and count", async () => {
      const { thread_id } = await threads().create();
      const { assistant_id } = await driven.client.assistants.create({
        graphId: "approval",
      });
      const made: string[] = [];
      for (const enabled of [true, false, true])
        made.push(
          (await crons().create(assistant_id, { schedule: YEARLY, enabled }))
            .cron_id,
        );
      const ofThread = await crons().createForThread(thread_id, assistant_id, {
        schedule: YEARLY,
      });
      const ids = async (
        query: NonNullable<Parameters<Client["crons"]["search"]>[0]>,
      ) =>
        (await crons().search({ assistantId: assistant_id, ...query })).map(
          ({ cron_id }) => cron_id,
        );
      const oldest = { sortBy: "created_at", sortOrder: "asc" } as const;
      expect(await ids(oldest)).toEqual([...made, ofThread.cron_id]);
      expect(await ids({ ...oldest, limit: 2, offset: 1 })).toEqual(
        made.slice(1),
      );
      expect(await ids({ enabled: false })).toEqual([made[1]]);
      expect(await ids({ threadId: thread_id })).toEqual([ofThread.cron_id]);
      const select = ["cron_id", "schedule"] as const;
      expect(
        await crons().search({ threadId: thread_id, select: [...select] }),
      ).toEqual([{ cron_id: ofThread.cron_id, schedule: YEARLY }]);
      await expectRefused(crons().search({ limit: 0 }), 422, /^limit: /);
      await expectAborted((options) => crons().search(options));

      expect(await crons().count({ assistantId: assistant_id })).toBe(4);
      expect(await crons().count({ threadId: thread_id })).toBe(1);
      expect(await crons().count()).toBeGreaterThanOrEqual(4);
      await expectRefused(
        crons().count({ threadId: "nobody" }),
        422,
        "thread_id: must be a UUID",
      );
      await expectAborted((options) => crons().count(options));
    });

    test("delete", async () => {
      const { cron_id } = await crons().create("approval", {
        schedule: YEARLY,
      });
      await crons().delete(cron_id);
      await expectRefused(crons().delete(cron_id), 404, "Cron not found");
      await expectAborted((options) => crons().delete(NOBODY, options));
    });

    test("a cron by the second creates runs on its thread", async () => {
      const { thread_id } = await threads().create();
      const { cron_id } = await crons().createForThread(thread_id, "fan-out", {
        schedule: "* * * * * *",
        input: { text: "a bc" },
      });
      const fired = async () =>
        (await driven.client.runs.list(thread_id)).filter(
          ({ status, metadata }) =>
            status === "success" &&
            (metadata as { cron_id?: string }).cron_id === cron_id,
        );
      await eventually(async () => (await fired()).length).toBeGreaterThan(1);
      await crons().delete(cron_id);
      expect((await threads().get(thread_id)).values).toMatchObject({
        text: "a bc",
      });
    });
  });
}

/** What version 2.0.0 of the client does not send. */
export function newerCronSuite(driven: Driven): void {
  const crons = () => driven.client.crons;

  test("crons with a time zone, an end time and a stream", async () => {
    const given = {
      schedule: YEARLY,
      timezone: "Asia/Tokyo",
      endTime: "2999-01-01T00:00:00Z",
      streamMode: ["values", "updates"] as const,
      streamSubgraphs: true,
      streamResumable: true,
    };
    const metadata = { batch: randomUUID() };
    const { thread_id } = await driven.client.threads.create();
    const payload = { ...given, streamMode: [...given.streamMode], metadata };
    const expected = {
      timezone: "Asia/Tokyo",
      next_run_date: expect.stringMatching(/-12-31T15:00:00/),
      end_time: "2999-01-01T00:00:00.000Z",
      payload: {
        stream_mode: given.streamMode,
        stream_subgraphs: true,
        stream_resumable: true,
      },
    };
    const cron = await crons().create("approval", payload);
    expect(cron).toMatchObject(expected);
    const ofThread = await crons().createForThread(
      thread_id,
      "approval",
      payload,
    );
    expect(ofThread).toMatchObject(expected);
    expect(
      await crons().update(cron.cron_id, {
        timezone: "Europe/Berlin",
        streamMode: "custom",
        streamSubgraphs: false,
        streamResumable: false,
        durability: "exit",
      }),
    ).toMatchObject({
      timezone: "Europe/Berlin",
      next_run_date: expect.stringMatching(/-12-31T23:00:00/),
      payload: {
        stream_mode: ["custom"],
        stream_subgraphs: false,
        stream_resumable: false,
        durability: "exit",
      },
    });
    await expectRefused(
      crons().create("approval", { ...payload, timezone: "Nowhere" }),
      422,
      /^timezone: must be the IANA name/,
    );
    expect(await crons().search({ metadata })).toHaveLength(2);
    expect(await crons().count({ metadata })).toBe(2);
    await expectRefused(
      crons().count({ metadata: [] as never }),
      422,
      "metadata: must be an object",
    );
  });
}
