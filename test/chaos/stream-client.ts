import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { JsonObject } from "../../src/lib/json.ts";
import type { Random } from "../support/random.ts";
import type { Served } from "../support/served.ts";
import { sseFrames } from "../support/sse-frames.ts";
import { waitFor } from "../support/wait.ts";
import { isRefusal } from "./refusals.ts";
import type { FollowedRun, Job, Reader } from "./followed-run.ts";

/** Long enough for a server that starts on a loaded machine. */
const BACK_MS = 60_000;
const STEP_MS = 30;
const MAX_JOBS = 5;

/** The connection broke. What was asked may have happened. */
class Unanswered extends Error {}

/**
 * A client that holds on: when its connection breaks, it waits for the server
 * and goes on where it was, as the SDKs do. It keeps every frame that it sees.
 */
export class StreamClient {
  readonly runs: FollowedRun[] = [];
  readonly jobs: Job[] = [];
  readonly threads: string[] = [];
  /** Frames that all of its readers have seen. */
  framesSeen = 0;
  answered = 0;
  readonly #server: Served;
  readonly #untilBack: () => Promise<void>;
  readonly #random: Random;
  readonly #name: string;
  #count = 0;

  constructor(params: {
    server: Served;
    random: Random;
    name: string;
    /** Resolves when it can be looked up what became of a request whose connection broke. */
    untilBack?: () => Promise<void>;
  }) {
    this.#server = params.server;
    this.#untilBack = params.untilBack ?? (() => answers(params.server));
    this.#random = params.random;
    this.#name = params.name;
  }

  /** Until the signal; what was begun is followed to its end. */
  async work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const thread = await this.#createThread();
      for (let n = 0; n < MAX_JOBS && !signal.aborted; n += 1)
        await this.#use(thread);
    }
  }

  async #use(thread: string): Promise<void> {
    const choice = this.#random.weighted({ one: 3, several: 2, asking: 3 });
    if (choice === "one") await this.#job(thread, { isAsking: false });
    else if (choice === "asking") await this.#job(thread, { isAsking: true });
    else
      await Promise.all(
        [1, 2, 3].map(() => this.#job(thread, { isAsking: false })),
      );
  }

  async #createThread(): Promise<string> {
    const thread_id = randomUUID();
    const body = { thread_id, if_exists: "do_nothing" };
    await this.#insist("POST", "/threads", body);
    this.threads.push(thread_id);
    return thread_id;
  }

  /** A run, and one more that answers what the first has asked. */
  async #job(thread_id: string, params: { isAsking: boolean }): Promise<void> {
    const op = this.#op("job");
    const steps = this.#random.between(1, 6);
    const ask = params.isAsking ? this.#random.between(1, steps + 1) : 0;
    const entries = Array.from({ length: steps + 1 }, (_, n) =>
      n > 0 && n === ask ? `${op}/${n}=${op}` : `${op}/${n}`,
    );
    const job: Job = { op, thread_id, entries, isDone: false };
    this.jobs.push(job);
    const first = await this.#run(thread_id, op, {
      input: {
        ...{ run: op, steps, ask, ms: STEP_MS, log: entries.slice(0, 1) },
        file: notesOf(this.#server, thread_id),
      },
    });
    if (!first.isSuccess) return;
    if (ask === 0) {
      job.isDone = true;
      return;
    }
    const last = await this.#run(thread_id, `${op}-answer`, {
      command: { resume: op },
    });
    job.isDone = last.isSuccess;
    this.answered += 1;
  }

  /** Starts a run and follows it to its end; others may follow it too, and somebody may stop it. */
  async #run(
    thread_id: string,
    op: string,
    what: JsonObject,
  ): Promise<{ isSuccess: boolean }> {
    const { run, response } = await this.#start(thread_id, op, what);
    this.runs.push(run);
    const stopAfter =
      this.#random.next() < 0.25 ? this.#random.between(0, 12) : null;
    const reading = [this.#follow(run, { response, stopAfter })];
    if (this.#random.next() < 0.3)
      reading.push(this.#follow(run, { response: null, stopAfter: null }));
    await Promise.all(reading);
    return { isSuccess: (await this.#statusOf(run)) === "success" };
  }

  /** Acknowledged when this returns. Asks again only when the run is certainly not there. */
  async #start(
    thread_id: string,
    op: string,
    what: JsonObject,
  ): Promise<{ run: FollowedRun; response: Response | null }> {
    const run = { thread_id, op, mayBeStopped: false, readers: [] };
    const isBackground = this.#random.next() < 0.3;
    const way = isBackground ? "runs" : "runs/stream";
    for (;;)
      try {
        const response = await this.#send(
          "POST",
          `/threads/${thread_id}/${way}`,
          {
            ...{ assistant_id: "journal", ...what, metadata: { op } },
            ...{ stream_mode: ["updates", "custom"], stream_resumable: true },
            multitask_strategy: "enqueue",
            on_disconnect: "continue",
            durability: this.#random.pick(["sync", "async"]),
          },
        );
        const where = response.headers.get("content-location");
        const run_id = where?.split("/").at(-1) ?? "";
        if (isBackground) await response.body?.cancel();
        return {
          run: { run_id, ...run },
          response: isBackground ? null : response,
        };
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        await this.#untilBack();
        const run_id = await this.#find(thread_id, op);
        if (run_id !== null) return { run: { run_id, ...run }, response: null };
      }
  }

  async #find(thread_id: string, op: string): Promise<string | null> {
    const runs = (await this.#insist("GET", `/threads/${thread_id}/runs`)) as {
      run_id: string;
      metadata: { op: string };
    }[];
    return runs.find((run) => run.metadata.op === op)?.run_id ?? null;
  }

  /** Reads on over broken connections, and over some that it lets go of itself, until the stream says that it has ended. */
  async #follow(
    run: FollowedRun,
    params: { response: Response | null; stopAfter: number | null },
  ): Promise<void> {
    const reader: Reader = { frames: [], resumed: 0 };
    run.readers.push(reader);
    const stopping: Promise<void>[] = [];
    const onFrame = () => {
      this.framesSeen += 1;
      if (reader.frames.length === params.stopAfter)
        stopping.push(this.#stop(run));
    };
    if (params.stopAfter === 0) stopping.push(this.#stop(run));
    let { response } = params;
    do {
      try {
        response ??= await this.#join(run, reader);
        await this.#read(response, reader, onFrame);
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        await this.#untilBack();
      }
      response = null;
    } while (reader.frames.at(-1)?.event !== "end");
    await Promise.all(stopping);
  }

  #join(run: FollowedRun, reader: Reader): Promise<Response> {
    const last = reader.frames.at(-1)?.id;
    if (last !== undefined) reader.resumed += 1;
    const path = `/threads/${run.thread_id}/runs/${run.run_id}/stream`;
    return this.#send("GET", path, undefined, {
      "last-event-id": last ?? "-1",
    });
  }

  async #read(
    { body }: Response,
    reader: Reader,
    onFrame: () => void,
  ): Promise<void> {
    if (body === null) throw new Error("a stream without a body");
    const isFickle = this.#random.next() < 0.3;
    const leaveAfter = isFickle ? this.#random.between(1, 10) : Infinity;
    let count = 0;
    try {
      for await (const frame of sseFrames(body)) {
        reader.frames.push(frame);
        onFrame();
        count += 1;
        if (count >= leaveAfter) return;
      }
    } catch (cause) {
      throw new Unanswered("the stream broke", { cause });
    }
    if (reader.frames.at(-1)?.event !== "end")
      throw new Error("a stream came to its end without saying so");
  }

  async #stop(run: FollowedRun): Promise<void> {
    run.mayBeStopped = true;
    const wait = this.#random.pick([0, 1]);
    const path = `/threads/${run.thread_id}/runs/${run.run_id}/cancel`;
    await this.#insist("POST", `${path}?wait=${wait}&action=interrupt`);
  }

  async #statusOf({ thread_id, run_id }: FollowedRun): Promise<string> {
    const run = await this.#insist(
      "GET",
      `/threads/${thread_id}/runs/${run_id}`,
    );
    return (run as { status: string }).status;
  }

  /** Asks until it is answered: only for what may be asked twice. A conflict is an answer: the run has ended already. */
  async #insist(
    method: string,
    path: string,
    body?: JsonObject,
  ): Promise<unknown> {
    for (;;)
      try {
        const response = await this.#send(method, path, body);
        const text = await response.text().catch(unanswered);
        return text === "" ? null : JSON.parse(text);
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        await this.#untilBack();
      }
  }

  async #send(
    method: string,
    path: string,
    body?: JsonObject,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const response = await this.#server
      .fetch(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      .catch(unanswered);
    if (response.ok || response.status === 409) return response;
    const text = await response.text().catch(unanswered);
    if (isRefusal(response.status, text)) throw new Unanswered(text);
    throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  }

  #op(what: string): string {
    this.#count += 1;
    return `${this.#name}-${what}-${this.#count}`;
  }
}

/** Where the steps of all runs of a thread note that they start and end. */
export const notesOf = (server: Served, thread_id: string): string =>
  join(server.directory, `${thread_id}.notes`);

const unanswered = (cause: unknown): never => {
  throw new Unanswered("no answer", { cause });
};

async function answers(server: Served): Promise<void> {
  await waitFor(
    "the server is back",
    async () => (await server.fetch("/ok")).ok,
    { timeoutMs: BACK_MS, everyMs: 50 },
  );
}
