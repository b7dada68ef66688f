/** The database's clock jumps, which it does by a function in front of its own. */
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { untilIdle } from "../../chaos/load.ts";
import { readNotes, repeatedAfterStored } from "../../support/diary.ts";
import { Fleet } from "../../support/fleet.ts";
import { Random } from "../../support/random.ts";
import type { TestServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";
import { requireWhole } from "./data-of-fleet.ts";

vi.setConfig({ testTimeout: 180_000 });

/** What Spool asks for the time answers by a table. */
const ADJUSTABLE_CLOCK = [
  "create schema clock",
  "create table clock.ahead (by interval not null)",
  "insert into clock.ahead values ('0')",
  `create function clock.statement_timestamp() returns timestamptz language sql stable as
     $$ select pg_catalog.statement_timestamp() + by from clock.ahead $$`,
  "alter database postgres set search_path = public, clock, pg_catalog",
];

const counted = async (fleet: Fleet, server: TestServer, steps: number) => {
  const file = join(fleet.directory, crypto.randomUUID());
  const { thread_id } = await server.client.threads.create();
  const { run_id } = await server.client.runs.create(thread_id, "counted", {
    input: { file, steps, ms: 100 },
    config: { recursion_limit: 1000 },
    durability: "sync",
  });
  return { thread_id, run_id, notes: () => readNotes(file) };
};

test("when the database's clock jumps by an hour, every lease ends at once, and every run goes on", async () => {
  const fleet = await Fleet.start({
    random: new Random(1),
    prepare: ADJUSTABLE_CLOCK,
  });
  const runs = await Promise.all(
    fleet.servers.map((server) => counted(fleet, server, 60)),
  );
  await waitFor("they run", () => runs.every((run) => run.notes().length > 3));
  await fleet.query("update clock.ahead set by = '1 hour'");
  await waitFor("leases have ended", () =>
    fleet.servers.some((server) => server.output().includes("declared dead")),
  );
  // Small steps back happen; with a large one, runs that were accepted before it wait until it is made up for.
  await fleet.query("update clock.ahead set by = '59 minutes 57 seconds'");
  const later = await counted(fleet, fleet.servers[0]!, 3);
  await untilIdle(fleet);
  for (const { thread_id, run_id, notes } of [...runs, later]) {
    const { status } = await fleet.client.runs.get(thread_id, run_id);
    expect(status).toBe("success");
    expect(repeatedAfterStored(notes())).toEqual([]);
  }
  await requireWhole(fleet);
});
