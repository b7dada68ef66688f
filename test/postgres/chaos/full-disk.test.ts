/** The disk that holds the tables is full; the log of the database is on another, as it is told to be. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  rmdirSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { untilIdle } from "../../chaos/load.ts";
import { readNotes, repeatedAfterStored } from "../../support/diary.ts";
import { Fleet } from "../../support/fleet.ts";
import { leaveOut } from "../../support/leave-out.ts";
import { Random } from "../../support/random.ts";
import { waitFor } from "../../support/wait.ts";
import { requireWhole } from "./data-of-fleet.ts";

vi.setConfig({ testTimeout: 180_000 });

/** Of a few megabytes; null where this user may not make one. */
function smallDisk(): string | null {
  const directory = mkdtempSync(join(tmpdir(), "spool-small-disk-"));
  const mounted = spawnSync("mount", [
    ...["-t", "tmpfs", "-o", "size=24m", "tmpfs", directory],
  ]);
  if (mounted.status === 0) return directory;
  rmdirSync(directory);
  return null;
}

function removeDisk(directory: string): void {
  execFileSync("umount", [directory]);
  rmdirSync(directory);
}

/** Leaves no byte. Gives the file. */
function fill(directory: string): string {
  const ballast = join(directory, "ballast");
  const fd = openSync(ballast, "w");
  for (const size of [65_536, 4096, 1])
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch (cause) {
      if ((cause as { code?: string }).code !== "ENOSPC") throw cause;
    }
  closeSync(fd);
  return ballast;
}

const probe = smallDisk();
if (probe !== null) removeDisk(probe);

if (probe === null)
  leaveOut("a full disk", {
    reason: "this user may not mount a small one",
    unless: "SPOOL_REQUIRE_MOUNT",
  });

test.skipIf(probe === null)(
  "a full disk refuses writes by name and nothing else; what runs goes on when there is room",
  async () => {
    const disk = smallDisk()!;
    onTestFinished(() => removeDisk(disk));
    const fleet = await Fleet.start({ random: new Random(1), instances: 2 });
    const { uid, gid } = statSync(fleet.cluster.directory);
    chownSync(disk, uid, gid);
    for (const server of fleet.servers) await server.stop();
    await fleet.query(`create tablespace small location '${disk}'`);
    await fleet.query("drop schema public cascade");
    await fleet.query("create schema public");
    await fleet.query(
      "alter database postgres set default_tablespace = 'small'",
    );
    for (const server of fleet.servers) await server.start();

    const file = join(fleet.directory, "notes");
    const { threads, runs } = fleet.client;
    const { thread_id } = await threads.create({ metadata: { is: "here" } });
    const { run_id } = await runs.create(thread_id, "counted", {
      input: { file, steps: 150, ms: 50 },
      config: { recursion_limit: 1000 },
      durability: "sync",
    });
    await waitFor("it runs", () => readNotes(file).length > 3);
    const ballast = fill(disk);
    const acknowledged: string[] = [];
    const refused = await waitFor("a write is refused", async () => {
      const answer = await fleet.send("POST", "/threads", {
        metadata: { pad: "x".repeat(20_000), at: acknowledged.length },
      });
      if (!answer.ok) return answer;
      acknowledged.push(
        ((await answer.json()) as { thread_id: string }).thread_id,
      );
      return null;
    });
    expect(refused.status).toBe(507);
    expect(await refused.text()).toContain("disk of the database is full");
    for (const server of fleet.servers) {
      expect((await server.fetch("/ok")).status).toBe(200);
      const thread = await server.client.threads.get(thread_id);
      expect(thread.metadata).toMatchObject({ is: "here" });
    }
    await waitFor(
      "the run has met it too",
      () => {
        const before = readNotes(file).length;
        return waitFor(
          "nothing more is noted",
          async () => (
            await new Promise((done) => setTimeout(done, 1500)),
            readNotes(file).length === before
          ),
          { timeoutMs: 1 },
        );
      },
      { timeoutMs: 30_000 },
    );

    rmSync(ballast);
    await threads.create();
    await untilIdle(fleet);
    expect((await runs.get(thread_id, run_id)).status).toBe("success");
    expect(repeatedAfterStored(readNotes(file))).toEqual([]);
    for (const id of acknowledged)
      expect((await threads.get(id)).thread_id).toBe(id);
    await requireWhole(fleet);
  },
);
