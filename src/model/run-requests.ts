import { z } from "zod";
import { isObject } from "../lib/json.ts";
import {
  jsonObject,
  jsonValue,
  lenientBoolean,
  list,
  metadata,
  optional,
  uuid,
  withDefault,
} from "./fields.ts";
import { graphConfig } from "./graph-config.ts";
import {
  DURABILITIES,
  MULTITASK_STRATEGIES,
  STREAM_MODES,
  type Durability,
  type ProtocolRun,
  type StreamMode,
} from "./run.ts";
import { modesInBody, type ModeChoice } from "./stream-modes.ts";
import { checkpointConfig } from "./thread-state-requests.ts";

const send = z.object({ node: z.string().min(1), input: jsonValue.optional() });

const pairs = list(z.array(z.tuple([z.string(), jsonValue])));

const commandFields = z.object({
  update: z.union([jsonObject, pairs]).nullish(),
  goto: z
    .union([z.string(), send, list(z.array(z.union([z.string(), send])))])
    .nullish(),
});

/** Checked, and passed on as it came. */
const command = jsonObject
  .superRefine((given, context) => {
    const issues = commandFields.safeParse(given).error?.issues ?? [];
    for (const issue of issues)
      context.addIssue({ ...issue, code: "custom", message: issue.message });
  })
  .meta({ id: "Command" });

export const nodeNames = z.union([z.literal("*"), list(z.array(z.string()))]);

export const webhook = z.string().min(1).max(65_536);

/** What all ways to run share. */
const runFields = {
  assistant_id: z.string().min(1),
  input: jsonValue.nullish().transform((value) => value ?? null),
  command: optional(command),
  metadata: withDefault(metadata, {}),
  config: withDefault(graphConfig, {}),
  context: jsonValue.nullish().transform((value) => value ?? null),
  webhook: optional(webhook),
  interrupt_before: optional(nodeNames),
  interrupt_after: optional(nodeNames),
  stream_mode: withDefault(modesInBody(STREAM_MODES), {
    modes: [],
    unknown: [],
  }),
  stream_subgraphs: withDefault(lenientBoolean, false),
  stream_resumable: withDefault(lenientBoolean, false),
  feedback_keys: optional(list(z.array(z.string()))),
  langsmith_tracer: optional(
    z.object({
      project_name: z.string().nullish(),
      example_id: z.string().nullish(),
    }),
  ),
  after_seconds: withDefault(z.number().min(0).max(1_000_000_000), 0),
  on_disconnect: withDefault(z.enum(["cancel", "continue"]), "continue"),
  durability: optional(z.enum(DURABILITIES)),
  checkpoint_during: optional(lenientBoolean),
  strict_resume: withDefault(lenientBoolean, false),
};

/** `checkpoint_during` is the old spelling of `durability`, which wins; a run that asks for no mode streams `values`. */
const withDefaults = <
  T extends {
    durability?: Durability | undefined;
    checkpoint_during?: boolean | undefined;
    stream_mode: ModeChoice<StreamMode>;
  },
>({
  checkpoint_during,
  stream_mode: { modes, unknown },
  ...run
}: T) => ({
  ...run,
  durability:
    run.durability ?? (checkpoint_during === false ? "exit" : "async"),
  stream_mode: modes.length === 0 ? (["values"] as StreamMode[]) : modes,
  unknown_stream_modes: unknown,
});

export const threadRunCreate = z
  .object({
    ...runFields,
    checkpoint: optional(checkpointConfig),
    checkpoint_id: optional(uuid),
    multitask_strategy: withDefault(z.enum(MULTITASK_STRATEGIES), "enqueue"),
    if_not_exists: withDefault(z.enum(["reject", "create"]), "reject"),
  })
  .transform(withDefaults)
  .meta({ id: "RunCreate" });
export type ThreadRunCreate = z.output<typeof threadRunCreate>;

/** JavaScript clients know `complete` and `continue` by their old names. */
const ON_COMPLETION: ReadonlyMap<unknown, string> = new Map([
  ["complete", "delete"],
  ["continue", "keep"],
]);

export const statelessRunCreate = z
  .object({
    ...runFields,
    on_completion: z.preprocess(
      (given) => ON_COMPLETION.get(given) ?? given,
      withDefault(z.enum(["delete", "keep"]), "delete"),
    ),
  })
  .transform(withDefaults)
  .meta({ id: "RunCreateStateless" });
export type StatelessRunCreate = z.output<typeof statelessRunCreate>;

/** JavaScript clients send a batch as its author has written it: `streamMode`, not `stream_mode`. */
function inSnakeCase(given: unknown): unknown {
  if (!isObject(given)) return given;
  const renamed = Object.entries(given).flatMap(([name, value]) => {
    const field = FIELD_OF.get(name);
    return field === undefined || given[field] != null ? [] : [[field, value]];
  });
  return { ...given, ...(Object.fromEntries(renamed) as object) };
}

const FIELD_OF: ReadonlyMap<string, string> = new Map(
  [...Object.keys(runFields), "on_completion"].map((field) => [
    field.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    field,
  ]),
);

const AT_LEAST_ONE = "must have a run at least";

/** They are accepted in one transaction, a third of a millisecond each, and nobody else writes in it. */
const MAX_BATCH = 1000;
const TOO_MANY = `must have at most ${MAX_BATCH} runs; send them in several batches`;

export const runBatch = list(
  z
    .array(z.preprocess(inSnakeCase, statelessRunCreate))
    .min(1, AT_LEAST_ONE)
    .max(MAX_BATCH, TOO_MANY),
);

/** What both kinds of request agree on once they are parsed. */
export type RunCreate = Omit<StatelessRunCreate, "on_completion"> &
  Partial<Pick<ThreadRunCreate, "checkpoint" | "checkpoint_id">> & {
    /** No client sends it: the streaming protocol has commands of its own. */
    protocol?: ProtocolRun;
  };
