import type { WebhookPolicy } from "../model/webhook-policy.ts";
import type { EventLog } from "../stream/event-log.ts";
import type { ServiceDeps } from "./deps.ts";
import type { KnownAssistants } from "./known-assistants.ts";

/** What the services of runs work with. */
export interface RunDeps extends ServiceDeps {
  events: EventLog;
  assistants: KnownAssistants;
  /** Deaths of its worker that end a run. */
  maxAttempts: number;
  webhooks: WebhookDeps;
}

export interface WebhookDeps {
  /** False: they are accepted, and never sent. */
  isEnabled: boolean;
  policy: WebhookPolicy;
}
