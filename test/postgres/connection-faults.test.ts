import { afterAll, beforeAll, expect, it } from "vitest";
import { PostgresDatabase } from "../../src/storage/postgres.ts";
import { connectTo } from "../support/ask-postgres.ts";
import { createDatabase, type CreatedDatabase } from "../support/postgres.ts";
import { search, TIMEOUT_MS } from "../support/races/budget.ts";
import { CuttingProxy, type Cut } from "../support/races/cutting-proxy.ts";
import { checkInvariants } from "../support/races/invariants.ts";
import {
  answerOf,
  failing,
  operationsIn,
  type Failing,
} from "../support/races/operations.ts";
import { whatIsThere } from "../support/races/what-is-there.ts";
import { Worlds } from "../support/races/worlds.ts";

/*
 * The connection breaks at every statement of every operation, before the
 * server hears of it and after it has answered; of a commit as well. Nobody
 * who calls the operation notices: it has happened, once.
 */

const CUTS: Cut[] = ["before", "after"];

let created: CreatedDatabase;
let direct: PostgresDatabase;
let behind: PostgresDatabase;
let proxy: CuttingProxy;
let worlds: Worlds;

const open = (uri: string): PostgresDatabase =>
  connectTo(uri, { directUri: created.uri, poolSize: 4 });

beforeAll(async () => {
  created = await createDatabase();
  proxy = await CuttingProxy.open(created.uri);
  direct = open(created.uri);
  behind = open(proxy.uri);
  worlds = await Worlds.open(direct);
});

afterAll(async () => {
  await behind.close();
  await direct.close();
  proxy.close();
  await created.drop();
});

it(
  "an operation whose connection breaks at any statement has happened once, and says so",
  async () => {
    const { looked } = await search(failing(CUTS), {
      nameOf: ({ world, operation, way }) =>
        `the connection breaks ${way} a statement of "${operation.name}" in the world "${world}"`,
      look: cutAtEach,
    });
    expect(looked).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

it.each(CUTS)(
  "a run is accepted once when the connection breaks %s any statement",
  async (way) => {
    const [operation] = operationsIn("ready");
    await cutAtEach({ world: "ready", operation: operation!, way });
  },
);

async function cutAtEach(
  of: Failing<Cut>,
  isOver = () => false,
): Promise<void> {
  const { count, ...usual } = await perform(of, 0);
  for (let at = 1; at <= count && !isOver(); at += 1) {
    const { answer, left } = await perform(of, at);
    await checkInvariants(direct);
    const what = `statement ${at} of ${count}`;
    // Its owner finds at its next poll that it has more than it knows of.
    if (of.operation.repeats && answer === of.operation.passing)
      expect(left, `at ${what}`).toBe(usual.left);
    else expect({ answer, left }, `at ${what}`).toEqual(usual);
  }
}

async function perform(
  { world: name, operation, way }: Failing<Cut>,
  at: number,
) {
  const world = await worlds.restore(name);
  proxy.plan(at, way);
  const stage = { world, database: behind, label: "made" };
  const answer = await answerOf(operation, stage);
  const { count } = proxy;
  return { answer, count, left: await whatIsThere(direct, world) };
}
