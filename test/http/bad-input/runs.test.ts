import { beforeAll, describe, expect, test } from "vitest";
import { NOBODY } from "../../support/sdk.ts";
import {
  BadInputApp,
  nested,
  type BadRequest,
} from "../../support/bad-input.ts";

const app = new BadInputApp();
let thread = "";
let run = "";
beforeAll(async () => {
  thread = await app.thread();
  ({ run_id: run } = await app.succeed<{ run_id: string }>({
    path: `/threads/${thread}/runs`,
    body: { assistant_id: "linear", after_seconds: 1000 },
  }));
});

const ENDS = ["", "/wait", "/stream"];
const ON_THREAD = ENDS.map((end) => () => `/threads/${thread}/runs${end}`);
const STATELESS = ENDS.map((end) => () => `/runs${end}`);

type Row = [name: string, body: unknown, detail: string, status?: number];

const refused = (ways: (() => string)[], rows: Row[]) =>
  test.each(rows)("%s", async (_name, body, detail, status = 422) => {
    const whole =
      typeof body === "string"
        ? body
        : { assistant_id: "linear", ...(body as object) };
    for (const way of ways)
      await app.refuse({ path: way(), body: whole, detail, status });
  });

describe("creating", () => {
  const deep = (field: string): Row => [
    `${field} that is too deep`,
    `{"assistant_id":"linear","${field}":${nested(501)}}`,
    `${field}: must not be nested deeper than 500 levels`,
  ];
  refused(
    [...ON_THREAD, ...STATELESS],
    [
      ["no assistant", { assistant_id: undefined }, "assistant_id: required"],
      ["an assistant that is a number", { assistant_id: 7 }, "assistant_id: expected string"], // prettier-ignore
      ["an empty name", { assistant_id: "" }, "assistant_id: "],
      ["an unknown assistant", { assistant_id: NOBODY }, `No assistant found for "${NOBODY}"`, 404], // prettier-ignore
      ["an unknown graph", { assistant_id: "constructor" }, 'No assistant found for "constructor"', 404], // prettier-ignore
      ["a name of SQL", { assistant_id: "' or 1=1 --" }, "No assistant found for \"' or 1=1 --\"", 404], // prettier-ignore
      ["a name of several lines", { assistant_id: "a\r\nb: c" }, 'No assistant found for "a\r\nb: c"', 404], // prettier-ignore
      ["a name with NUL", { assistant_id: "linear\u0000" }, "No assistant found", 404], // prettier-ignore
      deep("input"),
      deep("context"),
      deep("command"),
      deep("config"),
      deep("metadata"),
      ["a command that is text", { command: "go" }, "command: must be an object"], // prettier-ignore
      ["an update that is a number", { command: { update: 5 } }, "command.update: "], // prettier-ignore
      ["an update of half pairs", { command: { update: [["a"]] } }, "command.update"], // prettier-ignore
      ["a goto that is a number", { command: { goto: 5 } }, "command.goto: "],
      ["a packet without a node", { command: { goto: { input: 1 } } }, "command.goto"], // prettier-ignore
      ["metadata that is a list", { metadata: [] }, "metadata: must be an object"], // prettier-ignore
      ["a config that is text", { config: "x" }, "config: must be an object"],
      ["tags that are text", { config: { tags: "x" } }, "config.tags: "],
      ["a limit of no steps", { config: { recursion_limit: 0 } }, "config.recursion_limit: "], // prettier-ignore
      ["a limit without end", '{"assistant_id":"linear","config":{"recursion_limit":1e999}}', "config.recursion_limit: "], // prettier-ignore
      ["a webhook that is empty", { webhook: "" }, "webhook: "],
      ["a webhook as long as a book", { webhook: "x".repeat(65_537) }, "webhook: "], // prettier-ignore
      ["a breakpoint that is a number", { interrupt_before: [5] }, "interrupt_before[0]: expected string"], // prettier-ignore
      ["a breakpoint that is a text", { interrupt_after: "first" }, "interrupt_after"], // prettier-ignore
      ["an unknown mode", { stream_mode: ["constructor"] }, "stream_mode: unknown mode"], // prettier-ignore
      ["a mode that is a number", { stream_mode: [1] }, "stream_mode[0]: expected string"], // prettier-ignore
      ["subgraphs that are neither", { stream_subgraphs: "maybe" }, "stream_subgraphs: must be true or false"], // prettier-ignore
      ["a start before now", { after_seconds: -1 }, "after_seconds: "],
      ["a start after the end of time", { after_seconds: 1e300 }, "after_seconds: "], // prettier-ignore
      ["an unknown on_disconnect", { on_disconnect: "wait" }, "on_disconnect: must be one of"], // prettier-ignore
      ["an unknown durability", { durability: "none" }, "durability: must be one of"], // prettier-ignore
      ["feedback keys as text", { feedback_keys: "a" }, "feedback_keys: expected array"], // prettier-ignore
    ],
  );
});

describe("creating on a thread", () => {
  refused(ON_THREAD, [
    ["an unknown strategy", { multitask_strategy: "queue" }, "multitask_strategy: must be one of"], // prettier-ignore
    ["an unknown if_not_exists", { if_not_exists: "maybe" }, "if_not_exists: must be one of"], // prettier-ignore
    ["a checkpoint that is none", { checkpoint_id: "1" }, "checkpoint_id: must be a UUID"], // prettier-ignore
    ["a map of lists", { checkpoint: { checkpoint_map: { a: [] } } }, "checkpoint.checkpoint_map: must map"], // prettier-ignore
    ["a checkpoint of nobody", { checkpoint_id: NOBODY }, `Checkpoint ${NOBODY}`, 404], // prettier-ignore
    ["a busy thread", { multitask_strategy: "reject" }, "Thread", 409],
  ]);
  refused(
    ENDS.map((end) => () => `/threads/${NOBODY}/runs${end}`),
    [["a thread of nobody", {}, "Thread", 404]],
  );
});

describe("creating on a thread of its own", () => {
  refused(STATELESS, [
    ["an unknown on_completion", { on_completion: "burn" }, "on_completion: must be one of"], // prettier-ignore
  ]);
});

describe("a batch", () => {
  const ok = { assistant_id: "linear" };
  const batch = (body: unknown, detail: string, status = 422): BadRequest => ({
    path: "/runs/batch",
    ...{ body, detail, status },
  });
  app.refuseAll({
    "no body": batch(undefined, "body: expected array"),
    "one run outside of a list": batch(ok, "body: expected array"),
    "no runs": batch([], "body: must have a run at least"),
    "too many runs": batch(Array.from({ length: 1001 }, () => ok), "body: must have at most 1000 runs"), // prettier-ignore
    "a run that is text": batch([ok, "linear"], "body[1]: expected object"),
    "no assistant": batch([{}, ok], "body[0].assistant_id: required"),
    "a wrong name in camel case": batch([{ ...ok, afterSeconds: -1 }], "body[0].after_seconds: "), // prettier-ignore
    "an input that is too deep": batch(`[{"assistant_id":"linear","input":${nested(501)}}]`, "body[0].input: must not be nested"), // prettier-ignore
    "an unknown assistant behind a known one": batch([ok, { assistant_id: "constructor" }], 'No assistant found for "constructor"', 404), // prettier-ignore
    "ten thousand wrong runs": batch(Array.from({ length: 10_000 }, () => ({})), "body[0].assistant_id: required"), // prettier-ignore
  });
});

describe("cancelling many", () => {
  const many = (body: unknown, detail: string, query = ""): BadRequest => ({
    path: `/runs/cancel${query}`,
    ...{ body, detail },
  });
  app.refuseAll({
    "nothing said": many({}, "status: required, unless thread_id and run_ids are given"), // prettier-ignore
    "no body": many(undefined, "status: required"),
    "an unknown status": many({ status: "success" }, "status: must be one of pending, running, all"), // prettier-ignore
    both: many({ status: "all", thread_id: NOBODY, run_ids: [NOBODY] }, "status: cannot go together with thread_id and run_ids"), // prettier-ignore
    "a thread without runs": many({ thread_id: NOBODY }, "run_ids: required with thread_id"), // prettier-ignore
    "runs without a thread": many({ run_ids: [NOBODY] }, "thread_id: required with run_ids"), // prettier-ignore
    "an empty list": many(
      { thread_id: NOBODY, run_ids: [] },
      "run_ids: must have a run at least",
    ),
    "a run that is none": many({ thread_id: NOBODY, run_ids: ["x"] }, "run_ids[0]: must be a UUID"), // prettier-ignore
    "a list that is text": many({ thread_id: NOBODY, run_ids: NOBODY }, "run_ids: expected array"), // prettier-ignore
    "an unknown action": many({ status: "all" }, "action: must be one of interrupt, rollback", "?action=kill"), // prettier-ignore
    "runs of nobody": { path: "/runs/cancel", body: { thread_id: NOBODY, run_ids: [NOBODY] }, status: 404, detail: "Run not found" }, // prettier-ignore
  });
});

describe("runs that exist", () => {
  const one = (method: string, query: string, detail: string) => () => ({
    method,
    path: `/threads/${thread}/runs${query.replace("{run}", run)}`,
    detail,
  });
  const gone = { status: 404, detail: "Run not found" };
  const ofNobody = (method: string, end = ""): (() => BadRequest) => () => ({
    method,
    path: `/threads/${thread}/runs/${NOBODY}${end}`,
    ...gone,
  }); // prettier-ignore

  app.refuseAll({
    "no runs": one("GET", "?limit=0", "limit: "),
    "too many": one("GET", "?limit=1001", "limit: "),
    "a limit that is text": one("GET", "?limit=ten", "limit: must be an integer"), // prettier-ignore
    "two limits": one("GET", "?limit=1&limit=2", "limit: "),
    "runs before the first": one("GET", "?offset=-1", "offset: "),
    "an unknown status": one("GET", "?status=gone", "status: must be one of"),
    "a column of SQL": one("GET", "?select=run_id,*", "select[1]: must be one of"), // prettier-ignore
    "an id that is none": one("GET", "/latest", "run_id: must be a UUID"),
    "an id with a line end": one("GET", `/${NOBODY}%0d%0a`, "run_id: must be a UUID"), // prettier-ignore
    "a way to stop that is none": one("POST", "/{run}/cancel?action=kill", "action: must be one of"), // prettier-ignore
    "a reason that is none": one("POST", "/{run}/cancel?reason=bored", "reason: "), // prettier-ignore
    "a wait that is neither": one("POST", "/{run}/cancel?wait=long", "wait: must be true or false"), // prettier-ignore
    "a run that has not ended": () => ({ method: "DELETE", path: `/threads/${thread}/runs/${run}`, status: 409, detail: `Run ${run} is pending` }), // prettier-ignore
    "nobody's run": ofNobody("GET"),
    "its deletion": ofNobody("DELETE"),
    "its result": ofNobody("GET", "/join"),
    "its stream": ofNobody("GET", "/stream"),
    "its end": ofNobody("POST", "/cancel"),
    "a reason for a rollback": one("POST", "/{run}/cancel?reason=taken&action=rollback", "reason: "), // prettier-ignore
    "nobody's run by its id": { method: "GET", path: `/runs/${NOBODY}`, ...gone }, // prettier-ignore
    "its result by its id": { method: "GET", path: `/runs/${NOBODY}/join`, ...gone }, // prettier-ignore
    "its end by its id": { method: "POST", path: `/runs/${NOBODY}/cancel`, ...gone }, // prettier-ignore
    "an id of no run": { method: "GET", path: "/runs/latest", detail: "run_id: must be a UUID" }, // prettier-ignore
    "its stream by its id": { method: "GET", path: `/runs/${NOBODY}/stream`, ...gone }, // prettier-ignore
    "a run of another thread": () => ({ method: "GET", path: `/threads/${NOBODY}/runs/${run}`, ...gone }), // prettier-ignore
  });

  test.each(["x", "-2", "1e9", "99999999999999999999", "1;drop"])(
    "a cursor that is none (%s) replays what there is",
    async (cursor) => {
      const response = await app.send({
        method: "GET",
        path: `/threads/${thread}/runs/${run}/stream`,
        headers: { "last-event-id": cursor },
      });
      await response.body?.cancel();
      expect(response.status).toBe(200);
    },
  );
});
