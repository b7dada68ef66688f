import type { Counts } from "../lib/counts.ts";
import type { Logger } from "../lib/logger.ts";
import { retry } from "../lib/retry.ts";
import type { ProducedEvent } from "../model/run-event.ts";
import type { CheckpointWrite } from "../protocol/checkpoint-frames.ts";
import type { RunReport } from "../protocol/run-frames.ts";
import { CHANNELS } from "../storage/channels.ts";
import { MissingValuesError } from "../storage/checkpoints.ts";
import type { Database, Queryable } from "../storage/database.ts";
import { insertSegment, type Segment } from "../storage/event-segments.ts";
import { handBackRun, type ClaimedRun } from "../storage/run-queue.ts";
import type { EventLog } from "../stream/event-log.ts";
import { GONE } from "../stream/run-results.ts";
import { storeRunWrites } from "../workers/checkpoint-requests.ts";
import { closingEvents } from "./edge-events.ts";
import {
  ROLLED_BACK,
  storeEnd,
  unlessLost,
  type RunEnd,
} from "./finish-run.ts";

export interface RecordDeps {
  database: Database;
  events: EventLog;
  log: Logger;
  /** Counts the runs that have ended, by how. */
  ended: Counts<EndedAs>;
}

/** How runs end that are counted. */
export const ENDS = [
  "success",
  "error",
  "timeout",
  "interrupted",
  "rolled_back",
] as const;
export type EndedAs = (typeof ENDS)[number];

/** What the attempt has cost the run: deaths that count against it, and time until it is tried again. */
type Cost = Parameters<typeof handBackRun>[2];

const NO_COST: Cost = { deaths: 0, delayMs: 0 };

/** Writes down what comes of an attempt: how the run ended, or that it is handed back. */
export class RunRecord {
  readonly #deps: RecordDeps;
  readonly #run: ClaimedRun;
  readonly #giveUp: AbortSignal;
  #writes: readonly CheckpointWrite[] = [];
  #events: readonly ProducedEvent[] = [];

  constructor(deps: RecordDeps, run: ClaimedRun, giveUp: AbortSignal) {
    this.#deps = deps;
    this.#run = run;
    this.#giveUp = giveUp;
  }

  /** What came with the end of the attempt is stored with it. */
  set rest({ writes = [], events = [] }: Partial<RunReport>) {
    this.#writes = writes;
    this.#events = events;
  }

  async end(end: RunEnd): Promise<void> {
    const { database, events, log } = this.#deps;
    const { run_id, thread_id } = this.#run;
    events.hold(this.#run, this.#events);
    const closing = closingEvents(this.#run, end);
    const segment = this.#leaner(await events.take(this.#run, closing), end);
    const recorded = await this.#persistently(() =>
      storeEnd(database, {
        run: this.#run,
        end,
        segment,
        writes: this.#writes,
      }).catch(whyNot),
    );
    if (recorded === "lost") return;
    if (recorded === "incomplete") return this.#repeat(segment, closing.length);
    events.results.end(run_id, recorded.isGone ? GONE : end);
    events.close(
      this.#run,
      recorded.isGone ? closingEvents(this.#run, ROLLED_BACK) : closing,
    );
    database.notify(CHANNELS.finished, run_id);
    if (recorded.hasWebhook) database.notify(CHANNELS.webhooks, run_id);
    if (recorded.hasNext) database.notify(CHANNELS.runs, thread_id);
    const status = recorded.isGone ? "rolled back" : end.status;
    this.#deps.ended.add(recorded.isGone ? "rolled_back" : end.status);
    log.debug({ run_id, thread_id, status }, "run ended");
  }

  /** A run that was not streamed leaves a long state to its thread alone. */
  #leaner(segment: Segment | null, { snapshot }: RunEnd): Segment | null {
    const { run_id, keeps_events } = this.#run;
    const { database, events: log } = this.#deps;
    const isKept = keeps_events || !database.isExclusive;
    if (segment === null || isKept || snapshot === null) return segment;
    const { results } = log;
    const lean = results.lean(run_id, segment.events, snapshot.values);
    const left = segment.events.length - lean.length;
    return { ...segment, first_seq: segment.first_seq + left, events: lean };
  }

  /** Back to the queue, with what it has streamed and stored so far. */
  async handBack(cost: Cost): Promise<void> {
    const { events } = this.#deps;
    void events.append(this.#run, this.#events);
    events.keep(this.#run.run_id); // the next attempt goes on from what readers have seen
    await this.#storeHandBack(await events.take(this.#run, []), cost);
  }

  /** Something that its last checkpoints build on was deleted under it: it goes on from what is stored, and keeps what it has streamed. */
  async #repeat(segment: Segment | null, closing: number): Promise<void> {
    this.#writes = [];
    this.#deps.events.keep(this.#run.run_id);
    const events = segment?.events.slice(0, -closing) ?? [];
    await this.#storeHandBack(segment && { ...segment, events }, NO_COST);
  }

  async #storeHandBack(segment: Segment | null, cost: Cost): Promise<void> {
    const { database } = this.#deps;
    await this.#persistently(() =>
      database
        .transaction(async (tx) => {
          if (segment !== null && segment.events.length > 0)
            await insertSegment(tx, segment);
          await this.#storeWrites(tx);
          await handBackRun(tx, this.#run, cost);
        })
        .catch(unlessLost),
    );
    database.notify(CHANNELS.runs, this.#run.thread_id);
  }

  /** Those that miss what they build on are not missed themselves: the next attempt makes them again. */
  async #storeWrites(tx: Queryable): Promise<void> {
    if (this.#writes.length === 0) return;
    try {
      await storeRunWrites(tx, this.#run, this.#writes);
    } catch (cause) {
      if (cause instanceof MissingValuesError) this.#writes = [];
      throw cause; // all of the transaction is tried again
    }
  }

  /** A full disk or a database that restarts must not strand a run: nobody else may touch it while we hold it. */
  #persistently<T>(fn: () => Promise<T>): Promise<T> {
    const { log } = this.#deps;
    return retry(fn, {
      firstMs: 200,
      maxMs: 5000,
      signal: this.#giveUp,
      onFailure: (cause) =>
        log.error(
          { err: cause, run_id: this.#run.run_id },
          "a run could not be recorded; trying again",
        ),
    });
  }
}

function whyNot(cause: unknown): "incomplete" {
  if (cause instanceof MissingValuesError) return "incomplete";
  throw cause;
}
