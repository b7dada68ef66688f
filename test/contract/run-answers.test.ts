import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RunRecord, type EndedAs } from "../../src/engine/run-record.ts";
import type { RunEnd } from "../../src/engine/finish-run.ts";
import { Counts } from "../../src/lib/counts.ts";
import type { ProducedEvent } from "../../src/model/run-event.ts";
import { resultOf } from "../../src/services/run-result.ts";
import type { Database } from "../../src/storage/database.ts";
import { getRunEnd, type ClaimedRun } from "../../src/storage/run-queue.ts";
import { sql, type Sql } from "../../src/storage/sql.ts";
import { EventLog } from "../../src/stream/event-log.ts";
import { follow } from "../../src/stream/follow.ts";
import { FIRST_LOOK_MS, untilEnded } from "../../src/stream/run-end.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { openRunQueue, type RunQueue } from "../support/run-queue.ts";
import { seam } from "../support/seam.ts";

/*
 * Whoever waits for a run that was executed here is answered from memory. It is
 * the answer that the tables would have given, and that others are given.
 */

const log = pino({ level: "silent" });
let opened: TestDatabase;
let queue: RunQueue;
let owner: string;

beforeAll(async () => {
  opened = await openTestDatabase();
  queue = await openRunQueue(opened.database);
  owner = await queue.instance();
});

afterAll(() => opened.close());

/** One of several servers on the database. */
class Instance {
  /** Statements that only read. */
  readonly asked: string[] = [];
  readonly database: Database;
  readonly events: EventLog;

  constructor(changes: Partial<Database> = {}) {
    const query = <Row>(statement: Sql): Promise<Row[]> => {
      this.asked.push(statement.text(() => "?"));
      return opened.database.query<Row>(statement);
    };
    this.database = seam(opened.database, {
      isExclusive: false,
      query,
      ...changes,
    });
    this.events = new EventLog({ database: this.database, log });
  }

  async claim(): Promise<ClaimedRun> {
    const thread_id = await queue.thread();
    const { run_id } = await queue.enqueue(thread_id, {
      stream_resumable: true,
    });
    return this.claimAgain(run_id);
  }

  async claimAgain(run_id: string): Promise<ClaimedRun> {
    const claimed = await queue.claim(owner, 100);
    const run = claimed.find((one) => one.run_id === run_id)!;
    this.events.open(run, run.last_event_seq + 1);
    return run;
  }

  record(run: ClaimedRun): RunRecord {
    const { database, events } = this;
    const deps = { database, events, log, ended: new Counts<EndedAs>() };
    return new RunRecord(deps, run, new AbortController().signal);
  }

  end(run: ClaimedRun, end: Partial<RunEnd> = {}): Promise<void> {
    return this.record(run).end({
      ...{ status: "success", error: null, snapshot: null },
      ...end,
    });
  }

  async answer(run: ClaimedRun): Promise<string> {
    const { signal } = new AbortController();
    return resultOf(this, run, await untilEnded(this, run, signal));
  }
}

const state = (n: number): ProducedEvent => ["values", JSON.stringify({ n })];
const asked = (id: string): ProducedEvent => [
  "values",
  JSON.stringify({ __interrupt__: [{ id, value: "?" }] }),
];
const other: ProducedEvent = ["updates", '{"a":1}'];
const links: ProducedEvent = ["feedback", '{"up":"http://example.com"}'];

/** What a run streams: batches, and what comes with its end. */
const STREAMS: Record<string, [ProducedEvent[][], ProducedEvent[]]> = {
  "one state": [[[other, state(1)]], []],
  "many states in many batches": [
    [[state(1)], [state(2), other], [other], [state(3)]],
    [state(4)],
  ],
  "questions around the last state": [
    [[state(1), asked("a")], [state(2)], [asked("b"), other]],
    [asked("c")],
  ],
  "questions of side by side tasks, told twice": [
    [[state(1)], [asked("b"), asked("a")], [asked("b")]],
    [],
  ],
  "links for feedback": [[[links, state(1)], [state(2)]], [links]],
  "no state": [[[other]], []],
  nothing: [[], []],
};

describe("the answer of who has executed the run", () => {
  it.each(Object.keys(STREAMS))(
    "is that of the tables, and asks them for nothing: %s",
    async (name) => {
      const [batches, rest] = STREAMS[name]!;
      const [here, there] = [new Instance(), new Instance()];
      const run = await here.claim();
      for (const batch of batches) void here.events.append(run, batch);
      await here.events.flushed();
      const record = here.record(run);
      record.rest = { events: rest };
      await record.end({ status: "success", error: null, snapshot: null });
      here.asked.length = 0;
      const answer = await here.answer(run);
      const hasState = [...batches.flat(), ...rest].some(
        ([event, data]) => event === "values" && data.startsWith('{"n"'),
      );
      expect(here.asked.length).toBe(hasState ? 0 : 1);
      expect(answer).toBe(await there.answer(run));
      expect(there.asked.length).toBeGreaterThan(0);
    },
  );

  it("is the error of one that has failed", async () => {
    const [here, there] = [new Instance(), new Instance()];
    const run = await here.claim();
    const error = { error: "Error", message: "no" };
    await here.end(run, { status: "error", error });
    here.asked.length = 0;
    expect(await here.answer(run)).toBe(JSON.stringify({ __error__: error }));
    expect(await there.answer(run)).toBe(await here.answer(run));
    expect(here.asked).toEqual([]);
    expect(here.events.results.endingOf(run.run_id)).toEqual(
      await getRunEnd(opened.database, run.run_id),
    );
  });

  it("says that one is gone that was rolled back", async () => {
    const [here, there] = [new Instance(), new Instance()];
    const run = await here.claim();
    void here.events.append(run, [state(1)]);
    await opened.database.transaction((tx) =>
      tx.query(
        sql`update runs set cancel = 'rollback' where run_id = ${run.run_id}`,
      ),
    );
    await here.end(run);
    expect(await here.answer(run)).toContain("RunDeletedError");
    expect(await here.answer(run)).toBe(await there.answer(run));
  });

  it("is of all its attempts when one before has streamed something", async () => {
    const [here, there] = [new Instance(), new Instance()];
    const run = await here.claim();
    void here.events.append(run, [state(1), asked("a")]);
    await here.record(run).handBack({ deaths: 0, delayMs: 0 });
    here.events.close(run, []);
    const again = await here.claimAgain(run.run_id);
    expect(again.attempt).toBe(2);
    void here.events.append(again, [state(2)]);
    await here.end(again);
    const answer = await here.answer(again);
    expect(JSON.parse(answer)).toMatchObject({ n: 2 });
    expect(answer).toBe(await there.answer(again));
  });

  it("is read from the tables when it is too long to be kept", async () => {
    const [here, there] = [new Instance(), new Instance()];
    const run = await here.claim();
    const long = JSON.stringify({ text: "x".repeat(1024 * 1024) });
    void here.events.append(run, [["values", long]]);
    await here.end(run);
    expect(here.events.results.framesOf(run.run_id)).toBeNull();
    expect(await here.answer(run)).toBe(long);
    expect(await there.answer(run)).toBe(long);
  });
});

describe("who waits for a run that was accepted just now", () => {
  const isNew = true;
  const { signal } = new AbortController();

  it("asks the database for nothing", async () => {
    const here = new Instance();
    const run = await here.claim();
    here.asked.length = 0;
    const ending = untilEnded(here, { ...run, isNew }, signal);
    await here.end(run);
    expect(await ending).toEqual({ status: "success", error: null });
    expect(here.asked).toEqual([]);
  });

  it("is not late for one that has ended before anybody listened", async () => {
    const here = new Instance();
    const run = await here.claim();
    await here.end(run);
    here.asked.length = 0;
    const ending = await untilEnded(here, { ...run, isNew }, signal);
    expect(ending?.status).toBe("success");
    expect(here.asked).toEqual([]);
  });

  it("soon looks for what another instance has done meanwhile", async () => {
    const [here, there] = [new Instance(), new Instance()];
    const run = await there.claim();
    await there.end(run);
    const before = performance.now();
    const ending = await untilEnded(here, { ...run, isNew }, signal);
    expect(ending?.status).toBe("success");
    expect(performance.now() - before).toBeLessThan(FIRST_LOOK_MS + 2000);
  });
});

describe("who follows a run that was accepted just now", () => {
  const read = async (instance: Instance, run: ClaimedRun, isNew = true) => {
    const events: string[] = [];
    for await (const { event } of follow(instance, {
      ...{ run_id: run.run_id, thread_id: run.thread_id, after: -1, isNew },
      signal: AbortSignal.timeout(20_000),
      hasEnded: async () =>
        (await getRunEnd(opened.database, run.run_id)) !== null,
    }))
      events.push(event);
    return events;
  };

  /** Accepted, and executed by nobody yet. */
  const accepted = async (): Promise<ClaimedRun> => {
    const thread_id = await queue.thread();
    const { run_id } = await queue.enqueue(thread_id);
    return { run_id, thread_id } as ClaimedRun;
  };

  it("hears of all of it, and asks the database for nothing", async () => {
    const here = new Instance();
    const run = await accepted();
    const reading = read(here, run);
    const claimed = await here.claimAgain(run.run_id);
    void here.events.append(claimed, [state(1)]);
    await here.events.flushed();
    void here.events.append(claimed, [state(2)]);
    await here.end(claimed);
    expect(await reading).toEqual(["values", "values", "v2.lifecycle", "end"]);
    expect(here.asked).toEqual([]);
  });

  it("reads what was stored before it came", async () => {
    const here = new Instance();
    const run = await here.claim();
    void here.events.append(run, [state(1)]);
    await here.events.flushed();
    const reading = read(here, run);
    await here.end(run);
    expect(await reading).toEqual(["values", "v2.lifecycle", "end"]);
  });

  it("soon looks for what another instance has done meanwhile", async () => {
    const [here, there] = [new Instance(), new Instance()];
    const run = await there.claim();
    void there.events.append(run, [state(1)]);
    await there.end(run);
    const before = performance.now();
    expect(await read(here, run)).toEqual(["values", "v2.lifecycle", "end"]);
    expect(performance.now() - before).toBeLessThan(FIRST_LOOK_MS + 2000);
  });

  it("goes to the table first where nobody looks later", async () => {
    const here = new Instance({ isExclusive: true });
    const run = await here.claim();
    await here.end(run);
    const other = new Instance({ isExclusive: true });
    expect(await read(other, run)).toEqual(["v2.lifecycle", "end"]);
  });
});
