import { z } from "zod";
import type { Json } from "../lib/json.ts";
import { ON_RUN_COMPLETED } from "./cron.ts";
import {
  jsonObject,
  jsonValue,
  lenientBoolean,
  limit,
  list,
  metadata,
  offset,
  optional,
  uuid,
  withDefault,
} from "./fields.ts";
import { graphConfig } from "./graph-config.ts";
import { DURABILITIES, MULTITASK_STRATEGIES, STREAM_MODES } from "./run.ts";
import { nodeNames, webhook } from "./run-requests.ts";
import { isTimezone, MAX_SCHEDULE, scheduleProblem } from "./schedule.ts";
import { modesInBody } from "./stream-modes.ts";

const schedule = z
  .string()
  .max(MAX_SCHEDULE)
  .superRefine((given, context) => {
    if (given.length > MAX_SCHEDULE) return; // said already
    const message = scheduleProblem(given);
    if (message !== null) context.addIssue({ code: "custom", message });
  });

const timezone = z
  .string()
  .refine(
    isTimezone,
    "must be the IANA name of a time zone, like Europe/Berlin",
  );

/** Python writes the time zone only of a time that has one: without it is UTC. */
const endTime = z.iso
  .datetime({
    offset: true,
    local: true,
    error: "must be an ISO 8601 time, like 2030-01-31T09:00:00Z",
  })
  .transform((given) => new Date(hasZone(given) ? given : `${given}Z`))
  .refine((time) => time.getTime() > Date.now(), "must be in the future")
  .meta({ type: "string", format: "date-time" });

const hasZone = (time: string): boolean => /(Z|[+-]\d\d:\d\d)$/.test(time);

/** What is kept for the run that each tick creates. Null says the same as nothing: the run's own default. */
const runFields = {
  input: jsonValue.nullish(),
  config: graphConfig.nullish(),
  context: jsonValue.nullish(),
  webhook: webhook.nullish(),
  interrupt_before: nodeNames.nullish(),
  interrupt_after: nodeNames.nullish(),
  stream_mode: modesInBody(STREAM_MODES).nullish(),
  stream_subgraphs: lenientBoolean.nullish(),
  stream_resumable: lenientBoolean.nullish(),
  durability: z.enum(DURABILITIES).nullish(),
  checkpoint_during: lenientBoolean.nullish(),
};

/** Members of the payload; undefined leaves one as it is, null takes it away. */
export type PayloadChange = Record<string, Json | undefined>;

type Flags = z.output<z.ZodObject<typeof runFields>>;

/** `checkpoint_during` is the old spelling of `durability`, which wins. */
const toPayload = ({
  checkpoint_during,
  stream_mode,
  ...fields
}: Partial<Flags>): PayloadChange => ({
  ...fields,
  stream_mode: stream_mode == null ? stream_mode : stream_mode.modes,
  ...(checkpoint_during === false && fields.durability == null
    ? { durability: "exit" }
    : {}),
});

const createFields = {
  ...runFields,
  schedule,
  assistant_id: z.string().min(1),
  timezone: optional(timezone),
  end_time: optional(endTime),
  enabled: withDefault(lenientBoolean, true),
  metadata: withDefault(metadata, {}),
};

/** Apart: what the cron is, and what each of its runs is. */
const apart = ({
  schedule,
  assistant_id,
  timezone,
  end_time,
  enabled,
  metadata,
  ...run
}: z.output<z.ZodObject<typeof createFields>>) => ({
  cron: { schedule, assistant_id, timezone, end_time, enabled, metadata },
  run,
});

export const threadCronCreate = z
  .object({
    ...createFields,
    multitask_strategy: z.enum(MULTITASK_STRATEGIES).nullish(),
  })
  .transform(({ multitask_strategy, ...fields }) => {
    const { cron, run } = apart(fields);
    const payload = { ...toPayload(run), multitask_strategy };
    return { ...cron, payload, on_run_completed: null };
  })
  .meta({ id: "ThreadCronCreate" });

export const cronCreate = z
  .object({
    ...createFields,
    on_run_completed: withDefault(z.enum(ON_RUN_COMPLETED), "delete"),
  })
  .transform(({ on_run_completed, ...fields }) => {
    const { cron, run } = apart(fields);
    return { ...cron, payload: toPayload(run), on_run_completed };
  })
  .meta({ id: "CronCreate" });

export type CronCreate =
  z.output<typeof cronCreate> | z.output<typeof threadCronCreate>;

/** What is absent stays as it is. */
export const cronPatch = z
  .object({
    ...runFields,
    schedule: optional(schedule),
    timezone: timezone.nullish(),
    end_time: endTime.nullish(),
    enabled: optional(lenientBoolean),
    /** Laid over the metadata that is there; the rest replaces. */
    metadata: withDefault(metadata, {}),
    on_run_completed: optional(z.enum(ON_RUN_COMPLETED)),
  })
  .transform(
    ({
      schedule,
      timezone,
      end_time,
      enabled,
      metadata,
      on_run_completed,
      ...run
    }) => ({
      ...{ schedule, timezone, end_time, enabled, metadata, on_run_completed },
      payload: toPayload(run),
    }),
  ) // prettier-ignore
  .meta({ id: "CronPatch" });
export type CronPatch = z.output<typeof cronPatch>;

export const CRON_FIELDS = [
  "cron_id",
  "assistant_id",
  "thread_id",
  "on_run_completed",
  "end_time",
  "schedule",
  "timezone",
  "created_at",
  "updated_at",
  "user_id",
  "payload",
  "next_run_date",
  "metadata",
  "enabled",
] as const;
export type CronField = (typeof CRON_FIELDS)[number];

const CRON_SORTS = [
  "cron_id",
  "assistant_id",
  "thread_id",
  "next_run_date",
  "end_time",
  "created_at",
  "updated_at",
] as const;

const filters = {
  /** Or the id of a graph. */
  assistant_id: optional(z.string()),
  thread_id: optional(uuid),
  metadata: optional(jsonObject),
};

export const cronCount = z.object(filters).meta({ id: "CronCount" });
export type CronCount = z.output<typeof cronCount>;

export const cronSearch = z
  .object({
    ...filters,
    enabled: optional(lenientBoolean),
    limit: limit(10),
    offset,
    sort_by: withDefault(z.enum(CRON_SORTS), "created_at"),
    sort_order: withDefault(z.enum(["asc", "desc"]), "desc"),
    /** Empty: all fields. The JavaScript client knows one more, `now`, which no cron has. */
    select: withDefault(list(z.array(z.enum([...CRON_FIELDS, "now"]))), []),
  })
  .meta({ id: "CronSearch" });
export type CronSearch = z.output<typeof cronSearch>;
