import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/storage/database.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isOnPostgres } from "../support/postgres.ts";
import { search, TIMEOUT_MS } from "../support/races/budget.ts";
import {
  FaultyDatabase,
  InjectedError,
  type Fault,
} from "../support/races/faults.ts";
import { checkInvariants } from "../support/races/invariants.ts";
import {
  answerOf,
  failing,
  type Failing,
} from "../support/races/operations.ts";
import { whatIsThere } from "../support/races/what-is-there.ts";
import { Worlds } from "../support/races/worlds.ts";

/*
 * Every statement of every operation fails once. Then nothing of its transaction
 * is there, the caller hears of it, and the same again does what it should.
 */

const FAULTS: Fault[] = isOnPostgres()
  ? ["is refused", "is done and then refused", "meets another"]
  : ["is refused", "is done and then refused"];

let opened: TestDatabase;
let worlds: Worlds;

beforeAll(async () => {
  opened = await openTestDatabase();
  worlds = await Worlds.open(opened.database);
});

afterAll(() => opened.close());

it(
  "an operation of which any statement fails has not happened, and happens when it is asked for again",
  async () => {
    const { looked } = await search(failing(FAULTS), {
      nameOf: ({ world, operation, way }) =>
        `a statement of "${operation.name}" ${way} in the world "${world}"`,
      look: failEach,
    });
    expect(looked).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

async function failEach(
  of: Failing<Fault>,
  isOver: () => boolean,
): Promise<void> {
  const usual = await perform(of, 0);
  // Some have several transactions: those before the one that failed stay.
  const ends = usual.states.slice(0, Math.max(1, usual.states.length - 1));
  for (let at = 1; at <= usual.count && !isOver(); at += 1) {
    const what = `statement ${at} of ${usual.count}`;
    const { answer, left, states, again } = await perform(of, at);
    await checkInvariants(opened.database);
    if (of.way === "meets another") {
      expect({ answer, left }, `at ${what}`).toEqual(told(usual));
      continue;
    }
    expect(ends, `at ${what}`).toContain(left);
    if (states.length > 1) continue;
    // Who has lost its lease is told so, whatever else has failed.
    if (answer === "lost") expect(usual.answer).toBe("lost");
    else expect(answer, `at ${what}`).toBeInstanceOf(InjectedError);
    const second = await again();
    const after = await whatIsThere(opened.database, usual.world);
    expect({ answer: second, left: after }, `at ${what}`).toEqual(told(usual));
  }
}

const told = ({ answer, left }: { answer: unknown; left: string }) => ({
  answer,
  left,
});

/** `states`: before it, and after each of its transactions. */
async function perform(
  { world: name, operation, way }: Failing<Fault>,
  at: number,
) {
  const world = await worlds.restore(name);
  const states = [await whatIsThere(opened.database, world)];
  const faulty = new FaultyDatabase(opened.database, {
    ...{ fault: way, at },
    afterCommit: async () => {
      states.push(await whatIsThere(opened.database, world));
    },
  });
  const on = (database: Database) =>
    answerOf(operation, { world, database, label: "made" });
  const answer = await on(faulty.database).catch((cause: unknown) => cause);
  const left = await whatIsThere(opened.database, world);
  const again = () => on(opened.database);
  return { world, answer, left, states, count: faulty.count, again };
}
