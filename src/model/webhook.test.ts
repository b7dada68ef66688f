import { expect, test } from "vitest";
import type { Run, RunKwargs } from "./run.ts";
import { endPayload } from "./webhook.ts";

const run = {
  run_id: "r",
  status: "success",
  kwargs: {
    input: { a: 1 },
    config: {
      tags: ["t"],
      configurable: { langgraph_auth_user: { token: "secret" }, who: "ada" },
    },
  } as unknown as RunKwargs,
  started_at: "2026-01-01T00:00:00.000Z",
  finished_at: "2026-01-01T00:00:01.000Z",
} as Run & { started_at: string; finished_at: string };

test("what is sent is the run with its end, and nothing of who was logged in", () => {
  expect(endPayload(run, { values: { b: 2 }, error: null })).toEqual({
    run_id: "r",
    status: "success",
    kwargs: {
      input: { a: 1 },
      config: { tags: ["t"], configurable: { who: "ada" } },
    },
    run_started_at: "2026-01-01T00:00:00.000Z",
    run_ended_at: "2026-01-01T00:00:01.000Z",
    values: { b: 2 },
  });
});

test("a run that failed has an error and perhaps no values", () => {
  const error = { error: "E", message: "m" };
  const payload = endPayload(run, { values: null, error });
  expect(payload).toMatchObject({ error });
  expect(payload).not.toHaveProperty("values");
});
