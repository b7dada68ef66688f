import { z } from "zod";
import { list, optional, uuid } from "./fields.ts";

const CANCELLED_STATUSES = ["pending", "running", "all"] as const;
export type CancelledStatus = (typeof CANCELLED_STATUSES)[number];

export type RunsCancel =
  { status: CancelledStatus } | { thread_id: string; run_ids: string[] };

/** Which runs to cancel: all of a status, or some of a thread. */
export const runsCancel = z
  .object({
    status: optional(z.enum(CANCELLED_STATUSES)),
    thread_id: optional(uuid),
    run_ids: optional(list(z.array(uuid).min(1, "must have a run at least"))),
  })
  .transform((given, context): RunsCancel => {
    const { status, thread_id, run_ids } = given;
    const isListed = thread_id !== undefined || run_ids !== undefined;
    if (status !== undefined && !isListed) return { status };
    if (
      status === undefined &&
      thread_id !== undefined &&
      run_ids !== undefined
    )
      return { thread_id, run_ids };
    const [field, message] = missing(given);
    context.issues.push({
      code: "custom",
      input: given,
      path: [field],
      message,
    });
    return z.NEVER;
  })
  .meta({ id: "RunsCancel" });

/** What the request lacks, or has too much of. */
const missing = (given: {
  status?: unknown;
  thread_id?: unknown;
  run_ids?: unknown;
}): [field: string, message: string] => {
  if (given.status !== undefined)
    return ["status", "cannot go together with thread_id and run_ids"];
  if (given.thread_id !== undefined)
    return ["run_ids", "required with thread_id"];
  if (given.run_ids !== undefined)
    return ["thread_id", "required with run_ids"];
  return ["status", "required, unless thread_id and run_ids are given"];
};
