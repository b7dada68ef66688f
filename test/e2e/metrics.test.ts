import { expect, test } from "vitest";
import { useServer } from "../support/server.ts";
import { waitFor } from "../support/wait.ts";

const server = useServer({ workers: 1, flags: ["--n-jobs-per-worker", "3"] });

interface Metrics {
  queue: { n_pending: number; n_running: number; max_age_secs: number };
  workers: { max: number; active: number; available: number };
  runs_ended: Record<string, number>;
  webhooks: { n_pending: number };
  process: Record<string, number>;
}

const asJson = async () =>
  (await (await server.fetch("/metrics?format=json")).json()) as Metrics;

/** `name{labels}` -> value, of every line that is no comment. */
async function samples(): Promise<Map<string, number>> {
  const text = await (await server.fetch("/metrics")).text();
  const lines = text.split("\n").filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const [, name = "", value = ""] = /^(.*) (\S+)$/.exec(line) ?? [];
      return [name, Number(value)];
    }),
  );
}

test("queue and slots are told while runs wait and run, and their ends when they have ended", async () => {
  const { threads, runs } = server.client;
  const { thread_id } = await threads.create();
  const input = { steps: 100, seconds: 0.2 };
  const running = await runs.create(thread_id, "slow", { input });
  const waiting = await runs.create(thread_id, "slow", { input });
  const delayed = await runs.create(thread_id, "slow", {
    input,
    afterSeconds: 1000,
  });
  await waitFor("the first runs", async () => (await asJson()).queue.n_running === 1); // prettier-ignore
  expect(await asJson()).toMatchObject({
    queue: { n_pending: 2, n_running: 1 },
    workers: { max: 3, active: 1, available: 2 },
    webhooks: { n_pending: 0 },
  });
  const text = await samples();
  expect(text.get("spool_runs_pending")).toBe(2);
  expect(text.get("spool_runs_running")).toBe(1);
  expect(text.get("spool_slots_free")).toBe(2);
  for (const { run_id } of [delayed, waiting, running])
    await runs.cancel(thread_id, run_id, true);
  await runs.wait(null, "fan-out", { input: { text: "a" } });
  const after = await asJson();
  expect(after.queue).toEqual({ n_pending: 0, n_running: 0, max_age_secs: 0 });
  expect(after.runs_ended).toMatchObject({ success: 1, interrupted: 1 });
  expect(
    (await samples()).get('spool_runs_ended_total{status="success"}'),
  ).toBe(1);
});

test("requests are counted by the pattern of their route, and what no route answers is one", async () => {
  const labels = 'method="GET",route="/threads/:thread_id"';
  const before = await samples();
  const ids = ["0", "1"].map((end) => `${"0".repeat(8)}-0000-4000-8000-00000000000${end}`); // prettier-ignore
  for (const id of ids) await server.fetch(`/threads/${id}`);
  for (const id of ids) await server.fetch(`/nowhere/${id}`);
  const after = await samples();
  const grown = (name: string) =>
    (after.get(name) ?? 0) - (before.get(name) ?? 0);
  expect(grown(`spool_http_requests_total{${labels},status="404"}`)).toBe(2);
  expect(grown(`spool_http_request_duration_seconds_count{${labels}}`)).toBe(2);
  expect(
    grown(`spool_http_request_duration_seconds_bucket{${labels},le="+Inf"}`),
  ).toBe(2);
  expect(grown('spool_http_requests_total{method="GET",route="none",status="404"}')).toBe(2); // prettier-ignore
});

test("the default is the text format of Prometheus, and another one is refused", async () => {
  const answer = await server.fetch("/metrics");
  expect(answer.headers.get("content-type")).toBe(
    "text/plain; version=0.0.4; charset=utf-8",
  );
  const text = await answer.text();
  const names = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  expect(names.length).toBeGreaterThan(10);
  for (const [, name = ""] of names) expect(text).toContain(`# HELP ${name} `);
  expect((await asJson()).process["memory_bytes"]).toBeGreaterThan(1e6);
  expect((await server.fetch("/metrics?format=xml")).status).toBe(422);
});
