/** Fifty clients on one thread: at once, and one upon the other. What ran when is in the journal that the graph keeps itself. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readNotes } from "../support/diary.ts";
import { collect } from "../support/sdk.ts";
import { CRASH_GRAPHS, useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

vi.setConfig({ testTimeout: 120_000 });

const CLIENTS = 50;
const STEPS = 2;
const STEP_MS = 40;

/** Half of the clients come at once. The others come so that each meets a run in the middle of a step. */
const arrivalMs = (n: number): number =>
  n < CLIENTS / 2 ? 0 : (n - CLIENTS / 2) * STEP_MS;

const server = useServer({ config: CRASH_GRAPHS, workers: 2 });

type Strategy = "reject" | "enqueue" | "interrupt" | "rollback";
const STRATEGIES: Strategy[] = ["enqueue", "reject", "interrupt", "rollback"];

interface Outcome {
  name: string;
  /** Null: it was refused. */
  run_id: string | null;
  /** What the client saw at the end: the frames of its stream, or the result it has waited for. */
  end: unknown;
}

/** A client that creates its run in one of three ways, and stays until it ends. */
async function client(
  n: number,
  params: { thread_id: string; file: string; strategy: Strategy },
): Promise<Outcome> {
  const { thread_id, file, strategy } = params;
  const { runs } = server.client;
  await delay(arrivalMs(n));
  const name = `${n}`;
  let run_id: string | null = null;
  const payload = {
    input: { file, run: name, steps: STEPS, ms: STEP_MS, heeds: n % 2 === 0 },
    multitaskStrategy: strategy,
    onRunCreated: (run: { run_id: string }) => (run_id = run.run_id),
  };
  const watch = async () => {
    if (n % 3 === 0)
      return collect(runs.stream(thread_id, "turns", payload)).then(
        (frames) => frames.at(-1)?.event,
      );
    if (n % 3 === 1)
      return runs.wait(thread_id, "turns", { ...payload, raiseError: false });
    const run = await runs.create(thread_id, "turns", payload);
    return runs.join(thread_id, run.run_id);
  };
  const end = await watch().catch((error: Error) => {
    // Refused; or rolled back before its creator came to join it.
    if (!/^HTTP (409|404)/.test(error.message)) throw error;
    return error.message.slice(0, 8);
  });
  return { name, run_id, end };
}

/** Steps that were at work while another run's was. */
function overlaps(file: string): string[] {
  const found: string[] = [];
  let inside: string | null = null;
  for (const { step, run } of readNotes(file) as unknown as {
    step: "enter" | "leave";
    run: string;
  }[]) {
    if (step === "enter") {
      if (inside !== null) found.push(`${run} entered while ${inside} worked`);
      inside = run;
    } else if (inside === run) inside = null;
    else found.push(`${run} left while ${inside} worked`);
  }
  return found;
}

async function race(strategyOf: (n: number) => Strategy) {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const file = join(server.directory, randomUUID());
  const before = await runs.wait(thread_id, "turns", {
    input: { file, run: "before", steps: 1, ms: 0 },
  });
  expect(before).toMatchObject({ log: ["before/1"] });
  const outcomes = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) =>
      client(n, { thread_id, file, strategy: strategyOf(n) }),
    ),
  );
  const thread = await waitFor("the thread is at rest", async () => {
    const thread = await threads.get<{ log: string[] }>(thread_id);
    return thread.status === "busy" ? null : thread;
  });
  const rows = (await runs.list(thread_id, { limit: 1000 })).toReversed();
  expect(overlaps(file)).toEqual([]);
  const accepted = outcomes.filter(({ run_id }) => run_id !== null);
  const there = new Map(rows.map((row) => [row.run_id, row.status]));
  // Every accepted run has ended, or is gone because somebody rolled it back.
  for (const { run_id, end } of accepted) {
    const status = there.get(run_id!);
    expect(["success", "interrupted", undefined]).toContain(status);
    if (typeof end === "string") expect(["end", "HTTP 404"]).toContain(end);
    else if (status === undefined)
      expect(end).toMatchObject({ __error__: { error: "RunDeletedError" } });
    else expect(end).not.toHaveProperty("__error__");
  }
  const nameOf = new Map(outcomes.map(({ run_id, name }) => [run_id, name]));
  const stepsOf = (name: string) =>
    thread.values.log.filter((entry) => entry.startsWith(`${name}/`));
  for (const { run_id, name } of accepted) {
    const status = there.get(run_id!);
    if (status === "success") expect(stepsOf(name)).toEqual([`${name}/1`, `${name}/2`]); // prettier-ignore
    if (status === "interrupted")
      expect([[], [`${name}/1`], [`${name}/1`, `${name}/2`]]).toContainEqual(stepsOf(name)); // prettier-ignore
    // A run that was rolled back has left nothing.
    if (status === undefined) expect(stepsOf(name)).toEqual([]);
  }
  // What is in the thread is there in the order of its runs.
  const order = rows.slice(1).map((row) => nameOf.get(row.run_id)!);
  const inLog = thread.values.log.map((entry) => entry.split("/")[0]!);
  expect([...new Set(inLog)]).toEqual([
    "before",
    ...order.filter((name) => inLog.includes(name)),
  ]);
  const state = await threads.getState<{ log: string[] }>(thread_id);
  expect(state.values.log).toEqual(thread.values.log);
  return { accepted, refused: outcomes.length - accepted.length, rows, there };
}

test("enqueue: all fifty run, one after the other, in the order of their coming", async () => {
  const { accepted, rows } = await race(() => "enqueue");
  expect(accepted).toHaveLength(CLIENTS);
  expect(rows.every(({ status }) => status === "success")).toBe(true);
});

test("reject: who comes while another runs is refused, and leaves no trace", async () => {
  const { accepted, refused, rows } = await race(() => "reject");
  expect(accepted.length).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
  expect(rows).toHaveLength(1 + accepted.length);
  expect(rows.every(({ status }) => status === "success")).toBe(true);
});

test("interrupt: all are kept, and the last one runs to its end", async () => {
  const { accepted, rows } = await race(() => "interrupt");
  expect(accepted).toHaveLength(CLIENTS);
  expect(rows).toHaveLength(1 + CLIENTS);
  expect(rows.at(-1)?.status).toBe("success");
});

test("rollback: who is met goes, and the last one runs to its end", async () => {
  const { accepted, rows } = await race(() => "rollback");
  expect(accepted).toHaveLength(CLIENTS);
  expect(rows.length).toBeLessThan(1 + CLIENTS);
  expect(rows.every(({ status }) => status === "success")).toBe(true);
});

test("a mix of all four: never two at work, and every accepted run ends", async () => {
  const { accepted } = await race((n) => STRATEGIES[n % 4]!);
  expect(accepted.length).toBeGreaterThan(0);
});

test.each(["interrupt", "rollback"] as const)(
  "%s: a run that is met between two of its steps begins no other beside the next run",
  async (multitaskStrategy) => {
    const { threads, runs } = server.client;
    const input = { steps: 3, ms: STEP_MS, heeds: false };
    const meet = async (afterMs: number) => {
      const { thread_id } = await threads.create();
      const file = join(server.directory, randomUUID());
      await runs.create(thread_id, "turns", {
        input: { ...input, file, run: "first" },
      });
      await waitFor("it works", () => readNotes(file).length > 0, { everyMs: 1 }); // prettier-ignore
      await delay(afterMs);
      await runs.wait(thread_id, "turns", {
        input: { ...input, file, run: "next" },
        multitaskStrategy,
      });
      expect(overlaps(file)).toEqual([]);
    };
    for (let round = 0; round < 10; round += 1)
      await Promise.all([-9, -6, -3, 0, 3, 6].map((ms) => meet(STEP_MS + ms)));
  },
);
