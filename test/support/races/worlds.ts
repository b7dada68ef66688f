import type { CheckpointWrite } from "../../../src/protocol/checkpoint-frames.ts";
import { cancelRun } from "../../../src/services/cancel-run.ts";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import {
  handBackRun,
  type ClaimedRun,
} from "../../../src/storage/run-queue.ts";
import { sql } from "../../../src/storage/sql.ts";
import { storeRunWrites } from "../../../src/workers/checkpoint-requests.ts";
import type { ScriptableDatabase } from "../databases.ts";
import { openRunQueue, type RunQueue } from "../run-queue.ts";

/*
 * Where a race begins: one thread with a run that has ended (R0), one that has
 * the turn or will (R1), one that waits behind (R2) and one that was delayed
 * and is due (R3). Each world is built once, by the operations of the engine,
 * and put back as it was as often as it is needed.
 */

export const WORLDS = [
  "at rest", // there is only R0
  "delayed", // there are only R0 and R3
  "ready", // R1 has not started
  "handed back", // R1 has started and waits to go on
  "running", // R1 belongs to an instance whose lease has ended
  "alone", // the same, and nobody waits
  "doomed", // as "running", and R1 is to be rolled back
  "reclaimed", // R1 belongs to another instance than the one that holds its first lease
] as const;
export type WorldName = (typeof WORLDS)[number];

export interface World {
  name: WorldName;
  queue: RunQueue;
  thread: string;
  /** Ids of the runs by their labels, and of those that are not there. */
  runs: { R0: string; R1: string; R2: string; R3: string };
  /** R1 as it was claimed first; an attempt that nobody had where it never was. */
  held: ClaimedRun;
  /** Instances: one that lives, and one whose lease has ended, which does not know it. */
  alive: string;
  expired: string;
}

const TABLES = [
  "instances",
  "threads",
  "runs",
  "thread_value_pages",
  "checkpoints",
  "checkpoint_values",
  "checkpoint_writes",
  "replaced_writes",
  "event_segments",
  "webhook_deliveries",
];

const NOBODYS = "00000000-0000-7000-8000-000000000000";

export class Worlds {
  readonly database: ScriptableDatabase;
  readonly #queue: RunQueue;
  readonly #built = new Map<WorldName, World>();

  private constructor(database: ScriptableDatabase, queue: RunQueue) {
    this.database = database;
    this.#queue = queue;
  }

  static async open(database: ScriptableDatabase): Promise<Worlds> {
    return new Worlds(database, await openRunQueue(database));
  }

  /** The database is as this world was when it was built. */
  async restore(name: WorldName): Promise<World> {
    const known = this.#built.get(name);
    if (known === undefined) return this.#build(name);
    const copies = TABLES.map(
      (table) => `insert into ${table} select * from ${copyOf(name, table)};`,
    );
    await this.database.script(`${CLEAR} ${copies.join(" ")}`);
    return known;
  }

  async #build(name: WorldName): Promise<World> {
    await this.database.script(CLEAR);
    const world = await new Builder(this.database, this.#queue).build(name);
    const copies = TABLES.map(
      (table) =>
        `create table ${copyOf(name, table)} as select * from ${table};`,
    );
    await this.database.script(copies.join(" "));
    this.#built.set(name, world);
    return world;
  }
}

const CLEAR =
  "delete from webhook_deliveries; delete from threads; delete from instances;";

const copyOf = (world: WorldName, table: string): string =>
  `copy_of_${world.replace(" ", "_")}_${table}`;

class Builder {
  readonly #database: ScriptableDatabase;
  readonly #queue: RunQueue;
  #thread = "";
  #alive = "";
  #expired = "";

  constructor(database: ScriptableDatabase, queue: RunQueue) {
    this.#database = database;
    this.#queue = queue;
  }

  async build(name: WorldName): Promise<World> {
    const queue = this.#queue;
    this.#thread = await queue.thread();
    this.#alive = await queue.instance();
    this.#expired = await queue.instance();
    const runs = { R0: "", R1: NOBODYS, R2: NOBODYS, R3: NOBODYS };
    runs.R0 = await this.#enqueue("R0");
    const first = await this.#claim(this.#alive);
    await this.#put(first, "1");
    await queue.finish(first);
    if (name !== "at rest" && name !== "delayed")
      runs.R1 = await this.#enqueue("R1");
    if (runs.R1 !== NOBODYS && name !== "alone")
      runs.R2 = await this.#enqueue("R2");
    if (name !== "at rest" && name !== "alone")
      runs.R3 = await this.#enqueue("R3", { after_seconds: 3600 });
    const held = await this.#startFirst(name, { ...first, run_id: runs.R1 });
    await this.#setTimes();
    const { thread, alive, expired } = this.#all;
    return { name, queue, thread, runs, held, alive, expired };
  }

  get #all() {
    return {
      thread: this.#thread,
      alive: this.#alive,
      expired: this.#expired,
    };
  }

  /** What has happened to R1. */
  async #startFirst(name: WorldName, nobodys: ClaimedRun): Promise<ClaimedRun> {
    if (["at rest", "delayed", "ready"].includes(name)) return nobodys;
    const run = await this.#claim(this.#expired);
    await this.#put(run, "2");
    if (name === "handed back" || name === "reclaimed")
      await this.#database.transaction((tx) =>
        handBackRun(tx, run, { deaths: 0 }),
      );
    if (name === "reclaimed") await this.#claim(this.#alive);
    if (name === "doomed")
      await cancelRun(this.#queue.deps, ANONYMOUS, {
        ...run,
        action: "rollback",
        wait: false,
        reason: null,
        signal: AbortSignal.abort(),
      });
    return run;
  }

  async #enqueue(label: string, request = {}): Promise<string> {
    const metadata = { label };
    const asked = { ...request, metadata };
    return (await this.#queue.enqueue(this.#thread, asked)).run_id;
  }

  async #claim(owner: string): Promise<ClaimedRun> {
    const [run] = await this.#queue.claim(owner, 1);
    if (run === undefined) throw new Error("there was nothing to claim");
    return run;
  }

  #put(run: ClaimedRun, id: string): Promise<unknown> {
    const writes = [checkpoint(this.#thread, id)];
    return this.#database.transaction((tx) => storeRunWrites(tx, run, writes));
  }

  /** R3 is due; one instance is believed dead, and the other lives for as long as the tests take. */
  async #setTimes(): Promise<void> {
    const past = new Date(0);
    const future = new Date(Date.now() + 86_400_000);
    await this.#database.transaction(async (tx) => {
      await tx.query(sql`update runs set run_at = ${past} where q <> 'done'`);
      await tx.query(sql`update instances set lease_until = ${future}`);
      await tx.query(
        sql`update instances set lease_until = ${past} where instance_id = ${this.#expired}`,
      );
    });
  }
}

/** A checkpoint of the graph itself, as a worker sends it. */
export const checkpoint = (
  thread_id: string,
  checkpoint_id: string,
): CheckpointWrite & { kind: "put" } => ({
  kind: "put",
  record: {
    thread_id,
    checkpoint_id,
    checkpoint_ns: "",
    parent_checkpoint_id: null,
    checkpoint: {},
    metadata: { step: 1 },
    channels: { log: { hash: `hash ${checkpoint_id}` } },
  },
  values: [
    {
      hash: `hash ${checkpoint_id}`,
      type: "json",
      data: Buffer.from(JSON.stringify(checkpoint_id)),
    },
  ],
});
