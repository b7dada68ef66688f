import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProducedEvent, RunEvent } from "../../src/model/run-event.ts";
import { CHANNELS } from "../../src/storage/channels.ts";
import { insertSegment } from "../../src/storage/event-segments.ts";
import { getRunEnd, type ClaimedRun } from "../../src/storage/run-queue.ts";
import { EventLog } from "../../src/stream/event-log.ts";
import { follow } from "../../src/stream/follow.ts";
import { sql } from "../../src/storage/sql.ts";
import { checkpointRequests } from "../../src/workers/checkpoint-requests.ts";
import { waitFor } from "../support/wait.ts";
import {
  drivers,
  openTestDatabase,
  fillDisk,
  type TestDatabase,
} from "../support/databases.ts";
import type { CheckpointWrite } from "../../src/protocol/checkpoint-frames.ts";
import { uuid7 } from "../../src/lib/uuid.ts";
import { checkpoint } from "../support/races/worlds.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";
import { isOnPostgres } from "../support/postgres.ts";

const log = pino({ level: "silent" });
const END: ProducedEvent = ["end", "{}"];
const values = (count: number, from = 0): ProducedEvent[] =>
  Array.from({ length: count }, (_, index) => [
    "values",
    JSON.stringify({ n: from + index }),
  ]);

describe.each(drivers())("the event log on $name", (driver) => {
  let opened: TestDatabase;
  let queue: RunQueue;
  let owner: string;

  beforeAll(async () => {
    opened = await openTestDatabase(driver);
    queue = await openRunQueue(opened.database);
    owner = await queue.instance();
  });

  afterAll(() => opened.close());

  async function startRun(
    options: { isKept?: boolean; isUrgent?: boolean } = {},
  ): Promise<{ events: EventLog; run: ClaimedRun }> {
    const thread = await queue.thread();
    await queue.enqueue(thread);
    const run = (await queue.claim(owner, 100)).find(
      (claimed) => claimed.thread_id === thread,
    )!;
    const events = new EventLog({ database: opened.database, log });
    events.open(run, 1, options);
    return { events, run };
  }

  function reader(
    events: EventLog,
    run: ClaimedRun,
    after = -1,
  ): AsyncGenerator<RunEvent> {
    return follow(
      { database: opened.database, events },
      {
        thread_id: run.thread_id,
        run_id: run.run_id,
        after,
        signal: AbortSignal.timeout(20_000),
        hasEnded: async () =>
          (await getRunEnd(opened.database, run.run_id)) !== null,
      },
    );
  }

  async function collect(source: AsyncGenerator<RunEvent>): Promise<number[]> {
    const seqs: number[] = [];
    for await (const { seq } of source) seqs.push(seq);
    return seqs;
  }

  /** As the dispatcher ends a run. */
  async function end(events: EventLog, run: ClaimedRun): Promise<void> {
    const segment = await events.take(run, [END]);
    await opened.database.transaction((tx) => insertSegment(tx, segment!));
    await queue.finish(run);
    events.close(run, [END]);
    opened.database.notify(CHANNELS.finished, run.run_id);
  }

  const upTo = (last: number) =>
    Array.from({ length: last }, (_, index) => index + 1);

  it("has what a step has streamed before the checkpoint of the step", async () => {
    const { events, run } = await startRun();
    const requests = checkpointRequests({
      database: opened.database,
      streams: events,
    });
    const write = () =>
      requests["checkpoint.write"]({ fence: run, writes: [], durable: false });
    for (let step = 0; step < 50; step += 1) {
      void events.append(run, values(1, step));
      // Some find a batch on its way, and some do not.
      if (step % 3 > 0) await new Promise(setImmediate);
      void events.append(run, values(1, step));
      expect(await write()).toBe("stored");
      const stored = await events.list({
        ...run,
        after: -1,
        segments: 1000,
      });
      expect(stored).toHaveLength(2 * (step + 1));
    }
  });

  describe("of a run that nobody follows", () => {
    const stored = ({ run_id }: ClaimedRun) =>
      opened.database.query<{ first_seq: number; last_seq: number }>(sql`
        select first_seq, last_seq from event_segments
        where run_id = ${run_id} order by first_seq`);

    const writer = (events: EventLog, run: ClaimedRun) => {
      const { "checkpoint.write": write } = checkpointRequests({
        database: opened.database,
        streams: events,
      });
      return (...writes: CheckpointWrite[]) =>
        write({ fence: run, writes, durable: false });
    };

    it("stores what it has streamed with its next checkpoint, at once", async () => {
      const { events, run } = await startRun({ isUrgent: false });
      void events.append(run, values(2));
      await new Promise(setImmediate);
      void events.append(run, values(2, 2));
      expect(await writer(events, run)(checkpoint(run.thread_id, "1"))).toBe(
        "stored",
      );
      expect(await stored(run)).toEqual([{ first_seq: 1, last_seq: 4 }]);
      expect(events.stored(run)).toBeNull();
    });

    it("stores it in the end when no checkpoint comes", async () => {
      const { events, run } = await startRun({ isUrgent: false });
      void events.append(run, values(3));
      await waitFor("it is stored", async () => {
        return (await stored(run)).length === 1;
      });
    });

    it("stores it soon when somebody comes who follows the run", async () => {
      const { events, run } = await startRun({ isUrgent: false });
      void events.append(run, values(3));
      const startedAt = performance.now();
      events.keep(run.run_id);
      void events.append(run, values(1, 3));
      await events.flushed();
      expect(await stored(run)).toHaveLength(1);
      expect(performance.now() - startedAt).toBeLessThan(1000);
    });

    it("stores it once when the checkpoint could not be stored with it", async () => {
      const { events, run } = await startRun({ isUrgent: false });
      const write = writer(events, run);
      void events.append(run, values(2));
      const torn = { ...checkpoint(run.thread_id, "1"), values: [] };
      expect(await write(torn)).toBe("incomplete");
      void events.append(run, values(2, 2));
      await expect(write(checkpoint(uuid7(), "1"))).rejects.toThrow(
        "not found",
      );
      expect(await stored(run)).toEqual([
        { first_seq: 1, last_seq: 2 },
        { first_seq: 3, last_seq: 4 },
      ]);
    });

    it("stores nothing of it with a checkpoint whose lease is lost", async () => {
      const { events, run } = await startRun({ isUrgent: false });
      void events.append(run, values(2));
      await queue.finish(run);
      expect(await writer(events, run)(checkpoint(run.thread_id, "1"))).toBe(
        "lost",
      );
      expect(await stored(run)).toEqual([]);
    });

    it("shows it to readers here while it is on its way with a checkpoint, and takes none of it twice", async () => {
      const { events, run } = await startRun({ isUrgent: false });
      const write = writer(events, run);
      const readers = [collect(reader(events, run))];
      const writes: Promise<unknown>[] = [];
      for (let step = 0; step < 10; step += 1) {
        void events.append(run, values(3, step * 3));
        writes.push(write(checkpoint(run.thread_id, `${step}`)));
        readers.push(collect(reader(events, run)));
        await new Promise(setImmediate);
      }
      await Promise.all(writes);
      await end(events, run);
      for (const seqs of await Promise.all(readers))
        expect(seqs).toEqual(upTo(31));
      expect(await collect(reader(events, run))).toEqual(upTo(31));
    });
  });

  it("shows every reader every event once, whenever it comes", async () => {
    const { events, run } = await startRun();
    const readers = [collect(reader(events, run))];
    for (let batch = 0; batch < 20; batch += 1) {
      void events.append(run, values(10));
      if (batch % 5 === 0) {
        await events.flushed();
        readers.push(collect(reader(events, run)));
      }
      if (batch % 7 === 0) await new Promise(setImmediate);
    }
    await end(events, run);
    readers.push(collect(reader(events, run))); // after the end
    for (const seqs of await Promise.all(readers))
      expect(seqs).toEqual(upTo(201));
  });

  describe("of a run that is not kept", () => {
    const rows = (run: ClaimedRun) =>
      opened.database.query<{ events: string; last_seq: number }>(
        sql`select events, last_seq from event_segments where run_id = ${run.run_id} order by first_seq`,
      );

    it("stores what the result is made of, and nothing before the end", async () => {
      const { events, run } = await startRun({ isKept: false });
      void events.append(run, [["updates", "{}"], ...values(30)]);
      void events.append(run, [
        ["values", '{"__interrupt__":[]}'],
        ["values|sub:1", "{}"],
      ]);
      await events.flushed();
      expect(await rows(run)).toEqual([]);
      await end(events, run);
      const [row, ...others] = await rows(run);
      expect(others).toEqual([]);
      expect({
        ...row,
        events: row?.events.replaceAll(/\t\d{13}$/gm, ""),
      }).toEqual({
        events: 'values\t{"n":29}\nvalues\t{"__interrupt__":[]}\nend\t{}',
        last_seq: 34, // as it was live: the next run of the thread goes on from it
      });
    });

    it("shows all of it to whoever joins while it runs", async () => {
      const { events, run } = await startRun({ isKept: false });
      void events.append(run, values(10));
      const early = collect(reader(events, run));
      const later = collect(reader(events, run, 5));
      await new Promise(setImmediate);
      void events.append(run, values(10));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await end(events, run);
      expect(await early).toEqual(upTo(21));
      expect(await later).toEqual(upTo(21).slice(5));
    });

    it("is kept once a reader falls behind, who then sees everything", async () => {
      const { events, run } = await startRun({ isKept: false });
      void events.append(run, values(2500));
      const seqs = collect(reader(events, run));
      await waitFor("it is stored", async () => (await rows(run)).length > 0);
      await end(events, run);
      expect(await seqs).toEqual(upTo(2501));
    });

    it("is kept once it is more than memory should hold", async () => {
      const { events, run } = await startRun({ isKept: false });
      const long: ProducedEvent = ["custom", `"${"x".repeat(1024 * 1024)}"`];
      for (let index = 0; index < 9; index += 1)
        void events.append(run, [long]);
      await events.flushed();
      expect((await rows(run)).at(-1)?.last_seq).toBe(9);
      await end(events, run);
    });
  });

  it("shows the end of a run to a reader of its thread whom the next run has reached already", async () => {
    const { events, run } = await startRun();
    await queue.enqueue(run.thread_id);
    const leave = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      const params = { thread_id: run.thread_id, run_id: null, after: -1 };
      for await (const { seq, event } of follow(
        { database: opened.database, events },
        { ...params, signal: leave.signal, hasEnded: async () => false },
      ))
        seen.push(`${seq} ${event}`);
    })();
    void events.append(run, values(2));
    await waitFor("they are read", () => seen.length === 2);
    const segment = await events.take(run, [END]);
    await opened.database.transaction((tx) => insertSegment(tx, segment!));
    await queue.finish(run);
    const next = (await queue.claim(owner)).find(
      ({ thread_id }) => thread_id === run.thread_id,
    )!;
    events.open(next, 4);
    void events.append(next, [["metadata", "{}"]]);
    events.close(run, [END]);
    void events.append(next, values(1));
    await waitFor("all is read", () => seen.length >= 5);
    leave.abort();
    await reading;
    expect(seen).toEqual([
      ...["1 values", "2 values", "3 end"],
      ...["4 metadata", "5 values"],
    ]);
    events.close(next, []);
    await queue.finish(next);
  });

  it("lets go of a reader that leaves while it reads what is stored", async () => {
    const { events, run } = await startRun();
    const leave = new AbortController();
    const reading = follow(
      { database: opened.database, events },
      {
        ...{ thread_id: run.thread_id, run_id: null, after: -1 },
        ...{ signal: leave.signal, hasEnded: async () => false },
      },
    ).next();
    leave.abort(); // nothing is stored yet
    expect((await reading).done).toBe(true);
  });

  it.each(["a checkpoint", "the end of the run"])(
    "shows a reader what is too much for its queue while it goes with %s",
    async (way) => {
      const { events, run } = await startRun();
      const large = values(60).map(([event, data]): ProducedEvent => [
        event,
        JSON.stringify({ data, text: "x".repeat(20_000) }),
      ]);
      void events.append(run, large);
      const loan = way === "a checkpoint" ? await events.lend(run) : null;
      const segment = loan?.segment ?? (await events.take(run, [END]))!;
      const reading = collect(reader(events, run));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await opened.database.transaction((tx) => insertSegment(tx, segment));
      loan?.settle(true);
      if (loan === null) {
        await queue.finish(run);
        events.close(run, [END]);
      } else await end(events, run);
      expect(await reading).toEqual(upTo(61));
    },
  );

  it("goes on after a cursor, exclusively", async () => {
    const { events, run } = await startRun();
    void events.append(run, values(50));
    const late = collect(reader(events, run, 30));
    await end(events, run);
    expect(await late).toEqual(upTo(51).slice(30));
    expect(await collect(reader(events, run, 51))).toEqual([]);
  });

  it("bounds the memory of a reader that does not read, and still shows it everything", async () => {
    const { events, run } = await startRun();
    const slow = reader(events, run);
    void events.append(run, values(1));
    const seqs = [(await slow.next()).value!.seq];
    for (let batch = 0; batch < 30; batch += 1) {
      const room = events.append(run, values(100, batch * 100));
      await room;
      await new Promise(setImmediate);
    }
    await end(events, run);
    for await (const { seq } of slow) seqs.push(seq);
    expect(seqs).toEqual(upTo(3002));
  });

  it("shows the whole run to a reader that joins while its end is being written", async () => {
    const { events, run } = await startRun();
    void events.append(run, values(5));
    await new Promise(setImmediate); // the first batch is on its way
    void events.append(run, values(5, 5));
    const ending = end(events, run);
    const joined: Promise<number[]>[] = [];
    for (let turn = 0; turn < 40; turn += 1) {
      joined.push(collect(reader(events, run)));
      await Promise.resolve();
    }
    await ending;
    for (const seqs of await Promise.all(joined))
      expect(seqs).toEqual(upTo(11));
  });

  it("lets nobody wait for a flush that has nothing left to write", async () => {
    const { events, run } = await startRun();
    void events.append(run, values(5));
    const flushed = events.flushed();
    await end(events, run); // takes what was to be flushed
    await flushed;
    expect(await collect(reader(events, run))).toEqual(upTo(6));
  });

  it("lets nobody wait for a flush when the end takes its events while another one cuts what is past the cap", async () => {
    const { events, run } = await startRun();
    for (const size of [12, 12]) {
      const text = JSON.stringify("x".repeat(size * 1024 * 1024));
      void events.append(run, [["values", text]]);
      while (events.stored(run) !== null) await new Promise(setImmediate);
    }
    void events.append(run, values(1));
    const flushed = events.flushed();
    await end(events, run);
    await flushed;
  });

  it.skipIf(isOnPostgres())(
    "keeps events that the disk had no room for until it has",
    async () => {
      const { events, run } = await startRun();
      const grow = fillDisk(opened.database);
      void events.append(run, [
        ["values", JSON.stringify("x".repeat(100_000))],
      ]);
      await events.flushed();
      grow();
      await end(events, run);
      expect(await collect(reader(events, run))).toEqual([1, 2]);
    },
  );

  it("does not lose the events of one run to the failure of another", async () => {
    const { events, run } = await startRun();
    const other = (await startRun()).run;
    events.open(other, 1);
    // Somebody has used the number already.
    await opened.database.transaction((tx) =>
      insertSegment(tx, { ...other, first_seq: 1, events: [END] }),
    );
    void events.append(other, values(1));
    void events.append(run, values(3));
    await events.flushed();
    const stored = await events.list({
      thread_id: run.thread_id,
      run_id: run.run_id,
      after: -1,
      segments: 10,
    });
    expect(stored.map(({ seq }) => seq)).toEqual(upTo(3));
  });

  it("stores nothing for an attempt that has lost its lease", async () => {
    const { events, run } = await startRun();
    await queue.finish(run);
    void events.append(run, values(5));
    await events.flushed();
    const stored = await events.list({
      thread_id: run.thread_id,
      run_id: run.run_id,
      after: -1,
      segments: 10,
    });
    expect(stored).toEqual([]);
  });

  it("drops events of an attempt that is not the open one", async () => {
    const { events, run } = await startRun();
    void events.append(
      { run_id: run.run_id, attempt: run.attempt + 1 },
      values(5),
    );
    await events.flushed();
    expect(await events.take(run, [])).toMatchObject({
      events: [],
      first_seq: 1,
    });
  });

  it("keeps line breaks and tabs of the data apart from its own", async () => {
    const { events, run } = await startRun();
    const data = JSON.stringify({ text: "a\tb\nc\r\n\u2028" });
    void events.append(run, [["values|node:1", data]]);
    await end(events, run);
    const [event] = await events.list({
      thread_id: run.thread_id,
      run_id: run.run_id,
      after: 0,
      segments: 10,
    });
    expect(event).toMatchObject({ seq: 1, event: "values|node:1", data });
  });
});
