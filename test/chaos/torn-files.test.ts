/**
 * Copies of the data folder, taken from under a server at work. Each is what a
 * machine that loses its power would find, so each opens, is whole, holds all
 * that was acknowledged before it was taken, and a server goes on from it.
 *
 * `CHAOS_COPIES`, `CHAOS_CLIENTS` and `CHAOS_SEED` change how many and which.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  CRASH_GRAPHS,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { Contradiction } from "./chronicle.ts";
import { copyFolder, type CopyKind } from "./copy-folder.ts";
import { requireWhole } from "./data-folder.ts";
import { Load, untilIdle } from "./load.ts";
import { inRound } from "./seed.ts";
import { WhatIsThere } from "./what-is-there.ts";

const COPIES = Number(process.env["CHAOS_COPIES"] ?? 40);

const KINDS: CopyKind[] = ["moment", "live", "cut", "torn"];

test(
  "a copy of the data folder, taken at any moment, is consistent, and a server goes on from it",
  { timeout: 60_000 + COPIES * 10_000 },
  async () => {
    const server = await startServer({ config: CRASH_GRAPHS });
    using load = new Load(server);
    await load.during(async () => {
      for (let count = 1; count <= COPIES; count += 1) {
        const to = join(server.directory, `copy-${count}`);
        const kind = KINDS[count % KINDS.length] ?? "moment";
        await inRound(count, () => takeCopy(server, load, { kind, to }));
        // The last of each kind are kept as they are, for a server.
        if (count <= COPIES - KINDS.length) rmSync(to, { recursive: true });
      }
    });
    await server.stop();
    for (let count = COPIES - KINDS.length + 1; count <= COPIES; count += 1)
      await inRound(count, () =>
        expectThatItServes(join(server.directory, `copy-${count}`)),
      );
  },
);

async function takeCopy(
  server: TestServer,
  load: Load,
  { kind, to }: { kind: CopyKind; to: string },
): Promise<void> {
  await load.someMore(1, 20);
  const { model } = load.chronicle;
  const before = [...model.threads.values()].map(({ thread_id }) => thread_id);
  const deleted = [...model.deleted];
  await copyFolder(server, to, { kind, random: load.random });
  const leaving = new Set(
    [...model.open.values()].map(({ operation }) =>
      operation.kind === "delete" ? operation.thread : null,
    ),
  );
  const left = before.filter((id) => model.threads.has(id) && !leaving.has(id));

  const threads = await requireWhole(to);
  if (kind === "cut" || kind === "torn") return; // what was not on the disk is lost
  for (const id of left)
    if (!threads.has(id))
      throw new Contradiction(
        model,
        model.threads.get(id)?.line ?? 0,
        `thread ${id} is not in the copy`,
      );
  for (const [id, line] of deleted)
    if (threads.has(id))
      throw new Contradiction(model, line, `thread ${id} is in the copy`);
}

async function expectThatItServes(dataFrom: string): Promise<void> {
  const server = await startServer({ config: CRASH_GRAPHS, dataFrom });
  const there = new WhatIsThere(server);
  await untilIdle(server);
  const ids = await there.threadIds();
  expect(ids.size).toBeGreaterThan(0);
  for (const id of ids) {
    const thread = await there.thread(id);
    expect(thread?.log ?? []).toEqual(thread?.history[0]?.log ?? []);
    const parents = thread?.history.map(({ parent }) => parent) ?? [];
    const wanted = thread?.history.map(({ id }) => id).slice(1) ?? [];
    expect(parents).toEqual(parents.length > 0 ? [...wanted, null] : []);
    for (const run of thread?.runs ?? [])
      expect(["success", "interrupted"]).toContain(run.status);
  }
  await server.stop();
  await requireWhole(server.dataDir);
}
