import { describe } from "vitest";
import { BadInputApp, nested } from "../../support/bad-input.ts";
import { NOBODY } from "../../support/sdk.ts";

const app = new BadInputApp();
const path = "/runs/crons";
const schedule = "0 9 * * *";
const assistant_id = "linear";
const of = (fields: object) => ({ schedule, assistant_id, ...fields });
const NO_EXPRESSION = "schedule: must be a cron expression of 5 fields";

describe("creating", () => {
  app.refuseAll({
    "nothing": { path, body: {}, detail: /schedule: required; assistant_id: required|assistant_id: required; schedule: required/ }, // prettier-ignore
    "no schedule": { path, body: { assistant_id }, detail: "schedule: required" }, // prettier-ignore
    "a schedule that is a number": { path, body: of({ schedule: 5 }), detail: "schedule: expected string" }, // prettier-ignore
    "a schedule of nothing": { path, body: of({ schedule: "" }), detail: NO_EXPRESSION }, // prettier-ignore
    "a schedule of four fields": { path, body: of({ schedule: "* * * *" }), detail: NO_EXPRESSION }, // prettier-ignore
    "a schedule of seven fields": { path, body: of({ schedule: "0 0 0 1 1 * 2030" }), detail: NO_EXPRESSION }, // prettier-ignore
    "a schedule in words": { path, body: of({ schedule: "every day" }), detail: NO_EXPRESSION }, // prettier-ignore
    "a minute too many": { path, body: of({ schedule: "60 * * * *" }), detail: NO_EXPRESSION }, // prettier-ignore
    "steps of nothing": { path, body: of({ schedule: "*/0 * * * *" }), detail: NO_EXPRESSION }, // prettier-ignore
    "a date": { path, body: of({ schedule: "2030-01-01T00:00:00" }), detail: NO_EXPRESSION }, // prettier-ignore
    "a day that never comes": { path, body: of({ schedule: "0 0 31 2 *" }), detail: "schedule: there is no day on which it would fire" }, // prettier-ignore
    "a schedule that is too long": { path, body: of({ schedule: `${"1,".repeat(300)}1 * * * *` }), detail: "schedule: too big: expected string to have <=500 characters" }, // prettier-ignore
    "SQL for a schedule": { path, body: of({ schedule: "'; drop table crons; --" }), detail: NO_EXPRESSION }, // prettier-ignore
    "NUL in a schedule": { path, body: of({ schedule: "* * * * \0" }), detail: NO_EXPRESSION }, // prettier-ignore
    "an unknown time zone": { path, body: of({ timezone: "Nowhere/Land" }), detail: "timezone: must be the IANA name of a time zone" }, // prettier-ignore
    "an offset for a time zone": { path, body: of({ timezone: "+02:00" }), detail: "timezone: must be the IANA name of a time zone" }, // prettier-ignore
    "a time zone that is a number": { path, body: of({ timezone: 2 }), detail: "timezone: expected string" }, // prettier-ignore
    "an end time that has been": { path, body: of({ end_time: "2001-01-01T00:00:00Z" }), detail: "end_time: must be in the future" }, // prettier-ignore
    "an end time in words": { path, body: of({ end_time: "tomorrow" }), detail: "end_time: must be an ISO 8601 time" }, // prettier-ignore
    "an end time on no day": { path, body: of({ end_time: "2999-02-30T00:00:00Z" }), detail: "end_time: must be an ISO 8601 time" }, // prettier-ignore
    "an end time that is a number": { path, body: of({ end_time: 4e12 }), detail: "end_time: " }, // prettier-ignore
    "an unknown assistant": { path, body: of({ assistant_id: "nobody" }), status: 404, detail: 'No assistant found for "nobody"' }, // prettier-ignore
    "an assistant that is a number": { path, body: of({ assistant_id: 1 }), detail: "assistant_id: expected string" }, // prettier-ignore
    "input that is too deep": { path, body: `{"schedule":"${schedule}","assistant_id":"linear","input":${nested(501)}}`, detail: "input: must not be nested" }, // prettier-ignore
    "a config that is a list": { path, body: of({ config: [] }), detail: "config: must be an object" }, // prettier-ignore
    "metadata that is text": { path, body: of({ metadata: "x" }), detail: "metadata: must be an object" }, // prettier-ignore
    "a webhook that is none": { path, body: of({ webhook: "" }), detail: "webhook: " }, // prettier-ignore
    "nodes that are a number": { path, body: of({ interrupt_before: 1 }), detail: "interrupt_before: " }, // prettier-ignore
    "an unknown end": { path, body: of({ on_run_completed: "burn" }), detail: "on_run_completed: must be one of delete, keep" }, // prettier-ignore
    "enabled that is neither": { path, body: of({ enabled: "perhaps" }), detail: "enabled: must be true or false" }, // prettier-ignore
    "an unknown durability": { path, body: of({ durability: "granite" }), detail: "durability: must be one of" }, // prettier-ignore
    "an unknown stream mode": { path, body: of({ stream_mode: "loud" }), detail: 'stream_mode: unknown mode "loud"' }, // prettier-ignore
    "a list": { path, body: [], detail: "body: " },
    "no JSON": { path, body: "{", detail: "" },
  });
});

describe("creating for a thread", () => {
  const ofNobody = `/threads/${NOBODY}/runs/crons`;
  app.refuseAll({
    "a thread of nobody": { path: ofNobody, body: of({}), status: 404, detail: `Thread with ID ${NOBODY} not found` }, // prettier-ignore
    "a thread that is none": { path: "/threads/mine/runs/crons", body: of({}), detail: "thread_id: must be a UUID" }, // prettier-ignore
    "an unknown strategy": { path: ofNobody, body: of({ multitask_strategy: "both" }), detail: "multitask_strategy: must be one of" }, // prettier-ignore
  });
});

describe("one cron", () => {
  for (const method of ["GET", "PATCH", "DELETE"])
    app.refuseAll({
      [`${method} of nobody`]: { method, path: `${path}/${NOBODY}`, status: 404, detail: "Cron not found" }, // prettier-ignore
      [`${method} of what is no id`]: { method, path: `${path}/mine`, detail: "cron_id: must be a UUID" }, // prettier-ignore
      [`${method} of a NUL`]: { method, path: `${path}/%00`, detail: "cron_id: must be a UUID" }, // prettier-ignore
    });
  const patch = (body: unknown) => ({
    method: "PATCH",
    path: `${path}/${NOBODY}`,
    body,
  });
  app.refuseAll({
    "another schedule that is none": { ...patch({ schedule: "hourly" }), detail: NO_EXPRESSION }, // prettier-ignore
    "another end that has been": { ...patch({ end_time: "2001-01-01T00:00:00Z" }), detail: "end_time: must be in the future" }, // prettier-ignore
    "another time zone that is none": { ...patch({ timezone: "" }), detail: "timezone: must be the IANA name" }, // prettier-ignore
    "other metadata that is a list": { ...patch({ metadata: [] }), detail: "metadata: must be an object" }, // prettier-ignore
  });
});

describe("searching and counting", () => {
  const search = `${path}/search`;
  app.refuseAll({
    "no rows": { path: search, body: { limit: 0 }, detail: "limit: " },
    "too many": { path: search, body: { limit: 1001 }, detail: "limit: " },
    "before the first": { path: search, body: { offset: -1 }, detail: "offset: " }, // prettier-ignore
    "an order of SQL": { path: search, body: { sort_by: "cron_id; drop table crons" }, detail: "sort_by: must be one of" }, // prettier-ignore
    "an order by what is hidden": { path: search, body: { sort_by: "headers" }, detail: "sort_by: must be one of" }, // prettier-ignore
    "a direction that is none": { path: search, body: { sort_order: "up" }, detail: "sort_order: must be one of" }, // prettier-ignore
    "a column that is hidden": { path: search, body: { select: ["headers"] }, detail: "select[0]: must be one of" }, // prettier-ignore
    "a thread that is none": { path: search, body: { thread_id: "x" }, detail: "thread_id: must be a UUID" }, // prettier-ignore
    "metadata that is a list": { path: search, body: { metadata: [] }, detail: "metadata: must be an object" }, // prettier-ignore
    "counting by metadata that is text": { path: `${path}/count`, body: { metadata: "x" }, detail: "metadata: must be an object" }, // prettier-ignore
  });
});
