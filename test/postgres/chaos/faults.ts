import { setTimeout as delay } from "node:timers/promises";
import type { Fleet } from "../../support/fleet.ts";
import { killIfAlive } from "../../support/processes.ts";
import type { Random } from "../../support/random.ts";
import type { TestServer } from "../../support/server.ts";

/** Of an instance, src/engine/settings.ts. */
const LEASE_MS = 9000;

/** How often each is picked once each has been there. */
const FAULTS = {
  "an instance is killed": 4,
  "a worker is killed": 3,
  "all workers of an instance are killed": 1,
  "the database crashes": 1,
  "the connections of an instance are cut": 2,
  "backends are terminated": 2,
  "the line to the database is slow": 1,
  "the line to the database is silent for longer than the lease": 1,
  "an instance stands still for longer than its lease": 1,
  "a worker stands still for longer than the lease": 1,
};

export type Fault = keyof typeof FAULTS;
const NAMES = Object.keys(FAULTS) as Fault[];

/** Those that last; begun first, so that the others happen meanwhile. */
const LONG = NAMES.filter((name) => name.includes("longer than"));

/**
 * What goes wrong with a fleet, one thing after the other; those that last go
 * on beside the others. One instance at least is never touched by those, so
 * that clients get on with their work.
 */
export class Faults {
  readonly happened: Fault[] = [];
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly #lasting = new Set<Promise<void>>();
  /** Nothing else happens to it. */
  readonly #troubled = new Set<TestServer>();

  constructor(fleet: Fleet, random: Random) {
    this.#fleet = fleet;
    this.#random = random;
  }

  /** Each once at least, and then as they come until the time is up. `between` is awaited before each. */
  async go(params: {
    milliseconds: number;
    between: () => Promise<void>;
    signal: AbortSignal;
  }): Promise<void> {
    const end = Date.now() + params.milliseconds;
    const first = [...LONG, ...NAMES.filter((name) => !LONG.includes(name))];
    while (!params.signal.aborted) {
      const next = first.shift() ?? this.#pick(end);
      if (next === null) break;
      await params.between();
      await this.#perform(next);
    }
    await Promise.all(this.#lasting);
  }

  /** Instances are killed one after the other, and nothing else happens. */
  async kill(params: {
    times: number;
    between: () => Promise<void>;
    signal: AbortSignal;
  }): Promise<void> {
    for (let n = 0; n < params.times && !params.signal.aborted; n += 1) {
      await params.between();
      await this.#perform("an instance is killed");
    }
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const name of this.happened) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  }

  #pick(end: number): Fault | null {
    return Date.now() < end ? this.#random.weighted(FAULTS) : null;
  }

  async #perform(fault: Fault): Promise<void> {
    const [server] = this.#untroubled();
    if (server === undefined) return;
    const isLong = LONG.includes(fault);
    // Somebody is to take over and to answer.
    if (isLong)
      while (this.#untroubled().length < 2) await this.#oneLessLasts();
    this.happened.push(fault);
    const happening = this.#happen(
      fault,
      this.#random.pick(this.#untroubled()),
    );
    if (!isLong) return happening;
    const lasting = happening.finally(() => this.#lasting.delete(lasting));
    lasting.catch(() => {}); // `go` tells
    this.#lasting.add(lasting);
  }

  #oneLessLasts = (): Promise<void> => Promise.race(this.#lasting);

  #untroubled(): TestServer[] {
    return this.#fleet.servers.filter((server) => !this.#troubled.has(server));
  }

  #happen(fault: Fault, server: TestServer): Promise<void> {
    switch (fault) {
      case "an instance is killed":
        return this.#killInstance(server);
      case "a worker is killed":
        return this.#killWorkers(server, { all: false });
      case "all workers of an instance are killed":
        return this.#killWorkers(server, { all: true });
      case "the database crashes":
        return this.#crashDatabase();
      case "the connections of an instance are cut":
        this.#fleet.lineOf(server).cut();
        return Promise.resolve();
      case "backends are terminated":
        return this.#terminateBackends();
      case "the line to the database is slow":
        return this.#slowLine(server);
      case "the line to the database is silent for longer than the lease":
        return this.#silentLine(server);
      case "an instance stands still for longer than its lease":
        return this.#freeze(server, server.pid);
      case "a worker stands still for longer than the lease":
        return this.#freezeWorker(server);
    }
  }

  /** It is back at once, or only after others have had the time to take over. */
  async #killInstance(server: TestServer): Promise<void> {
    this.#troubled.add(server);
    this.#fleet.rest(server);
    await server.kill9();
    if (this.#random.next() < 0.2) await delay(LEASE_MS / 3);
    await server.start();
    this.#fleet.use(server);
    this.#troubled.delete(server);
  }

  #killWorkers(server: TestServer, { all }: { all: boolean }): Promise<void> {
    const workers = server.workerPids();
    const one = this.#random.between(0, workers.length);
    for (const [index, pid] of workers.entries())
      if (all || index === one) killIfAlive(pid);
    return Promise.resolve();
  }

  async #crashDatabase(): Promise<void> {
    const { cluster } = this.#fleet;
    await cluster.stop("immediate");
    if (this.#random.next() < 0.3) await delay(this.#random.between(0, 3000));
    await cluster.start();
  }

  async #terminateBackends(): Promise<void> {
    await this.#fleet.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'spool' and random() < $1`,
      [this.#random.pick([0.3, 1])],
    );
  }

  async #slowLine(server: TestServer): Promise<void> {
    const line = this.#fleet.lineOf(server);
    line.delay(this.#random.between(5, 60));
    await delay(1500);
    line.delay(0);
  }

  async #silentLine(server: TestServer): Promise<void> {
    const line = this.#fleet.lineOf(server);
    await this.#apart(server, async () => {
      line.silence();
      await delay(LEASE_MS + 2000);
      // What was on its way arrives late, or never.
      if (this.#random.next() < 0.5) line.cut();
      line.speak();
    });
  }

  async #freezeWorker(server: TestServer): Promise<void> {
    const workers = server.workerPids();
    if (workers.length === 0) return;
    await this.#freeze(server, this.#random.pick(workers));
  }

  async #freeze(server: TestServer, pid: number): Promise<void> {
    await this.#apart(server, async () => {
      signal(pid, "SIGSTOP");
      await delay(LEASE_MS + this.#random.between(1000, 3000));
      signal(pid, "SIGCONT");
    });
  }

  /** A health check would take it out of use as well. */
  async #apart(server: TestServer, work: () => Promise<void>): Promise<void> {
    this.#troubled.add(server);
    this.#fleet.rest(server);
    await work();
    this.#fleet.use(server);
    this.#troubled.delete(server);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone; then it stands still as well.
  }
}
