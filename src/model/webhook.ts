import type { Json, JsonObject } from "../lib/json.ts";
import type { Run, RunError } from "./run.ts";

/*
 * A webhook is told the end of a run:
 *
 *   pending ──2xx──► delivered
 *      │ no answer, or another: again later, for a day ──► dead
 *      └ an address that is not allowed, or 410 ──► dead
 *
 * Whoever asks for it (`replay`) makes any of them pending again.
 */

export const DELIVERY_STATUSES = ["pending", "delivered", "dead"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** As the API shows it. */
export interface WebhookDelivery {
  /** Also the header `webhook-id` of each attempt. */
  delivery_id: string;
  run_id: string;
  thread_id: string;
  url: string;
  status: DeliveryStatus;
  attempts: number;
  /** Null when there will be none. */
  next_attempt_at: string | null;
  /** Of the last attempt; null when there was no answer. */
  response_status: number | null;
  last_error: string | null;
  created_at: string;
  updated_at: string;
  delivered_at: string | null;
  /** When it is forgotten. */
  expires_at: string;
}

/** From the end of a run until nobody tries to tell it any more. */
export const GIVE_UP_MS = 24 * 60 * 60 * 1000;

/** From the last change of a delivery until it is forgotten. */
export const KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/** Written by authentication; nobody else's business. */
const AUTH_KEY = /^langgraph_auth_/;

/** What is sent, but for the time of sending. */
export function endPayload(
  ended: Run & { started_at: string | null; finished_at: string | null },
  outcome: { values: Json; error: RunError | null },
): JsonObject {
  const { started_at, finished_at, kwargs, ...run } = ended;
  const { configurable, ...config } = kwargs.config;
  const kept = Object.entries(configurable ?? {}).filter(
    ([key]) => !AUTH_KEY.test(key),
  );
  return {
    ...run,
    kwargs: {
      ...kwargs,
      config: { ...config, configurable: Object.fromEntries(kept) },
    } as unknown as JsonObject,
    run_started_at: started_at,
    run_ended_at: finished_at,
    ...(outcome.values === null ? {} : { values: outcome.values }),
    ...(outcome.error === null ? {} : { error: outcome.error }),
  };
}
