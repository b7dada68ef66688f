import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { administer } from "../support/postgres.ts";
import { sql } from "../../src/storage/sql.ts";
import { Random } from "../support/random.ts";
import { search, TIMEOUT_MS } from "../support/races/budget.ts";
import { Conductor, type Choose } from "../support/races/conductor.ts";
import {
  nameOf,
  outcomeOf,
  partOf,
  serialOutcomes,
  type Meeting,
} from "../support/races/histories.ts";
import {
  checkEverythingEnds,
  checkInvariants,
} from "../support/races/invariants.ts";
import { operationsIn } from "../support/races/operations.ts";
import { Schedules } from "../support/races/schedules.ts";
import { WORLDS, Worlds, type WorldName } from "../support/races/worlds.ts";

/*
 * Operations at the same time on connections of their own, their statements in
 * every order that the locks of the database allow. What comes of it must
 * be what comes of them one after the other, in some order.
 */

/** How often an operation of a pair is left for the other while it could go on. */
const MAX_LEFT = Number(process.env["RACE_DEPTH"] ?? 2);

let opened: TestDatabase;
let worlds: Worlds;

beforeAll(async () => {
  opened = await openTestDatabase();
  const [row] = await opened.database.query<{ name: string }>(
    sql`select current_database() as name`,
  );
  // Who is to be ended because of a deadlock is known at once.
  await administer(`alter database ${row!.name} set deadlock_timeout = '10ms'`);
  worlds = await Worlds.open(opened.database);
});

afterAll(() => opened.close());

/** Of those that races were found in, or that much depends on: every time. */
const ALWAYS = [
  'put a checkpoint | copy the thread in the world "running"',
  'claim by expired | reap in the world "ready"',
  'enqueue (enqueue) | finish (success) in the world "alone"',
];

it.each(ALWAYS)("in every order: %s", async (name) => {
  const meeting = WORLDS.flatMap(pairsIn).find((one) => nameOf(one) === name);
  await lookAtPair(meeting!);
});

it(
  "two operations at once come to what they do one after the other, in every order of their statements",
  async () => {
    const meetings = WORLDS.flatMap(pairsIn);
    const { looked } = await search(meetings, { nameOf, look: lookAtPair });
    expect(looked).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

it(
  "so do three, in some orders",
  async () => {
    const { looked } = await search(triples, {
      nameOf: (triple) => `${nameOf(triple)}, order ${triple.order}`,
      look: ({ order, ...meeting }) => {
        const random = new Random(order);
        return lookAt(
          meeting,
          (ready) => random.pick(ready),
          new Outcomes(meeting),
        );
      },
    });
    expect(looked).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

async function lookAtPair(
  meeting: Meeting,
  isOver = () => false,
): Promise<void> {
  const schedules = new Schedules({ maxLeft: MAX_LEFT });
  const outcomes = new Outcomes(meeting);
  do await lookAt(meeting, schedules.next(), outcomes);
  while (schedules.advance() && !isOver());
}

async function lookAt(
  meeting: Meeting,
  choose: Choose,
  outcomes: Outcomes,
): Promise<void> {
  const world = await worlds.restore(meeting.world);
  const conductor = new Conductor(opened.database);
  try {
    const parts = meeting.operations.map((operation, index) =>
      partOf(world, operation, index),
    );
    const answers = await conductor.play(parts, choose);
    await checkInvariants(opened.database);
    const { operations } = meeting;
    const outcome = await outcomeOf(worlds, world, { operations, answers });
    await checkEverythingEnds(opened.database, world);
    await outcomes.expectSerial(outcome);
  } catch (cause) {
    throw new Error(
      `in the order ${conductor.score.join("")}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** What may come of a meeting; worked out as far as it is needed. */
class Outcomes {
  readonly #known: string[] = [];
  readonly #more: AsyncGenerator<string>;

  constructor(meeting: Meeting) {
    this.#more = serialOutcomes(worlds, meeting);
  }

  async expectSerial(outcome: string): Promise<void> {
    while (!this.#known.includes(outcome)) {
      const next = await this.#more.next();
      if (next.done === true)
        return expect(outcome, "of no serial order").toBe(this.#known[0]);
      this.#known.push(next.value);
    }
  }
}

function* triples(random: Random): Generator<Meeting & { order: number }> {
  for (;;) {
    const world = random.pick(WORLDS);
    const choices = operationsIn(world);
    const operations = [1, 2, 3].map(() => random.pick(choices));
    yield { world, operations, order: random.between(0, 1e9) };
  }
}

function pairsIn(world: WorldName): Meeting[] {
  const all = operationsIn(world);
  return all.flatMap((one, index) =>
    all.slice(index).map((other) => ({ world, operations: [one, other] })),
  );
}
