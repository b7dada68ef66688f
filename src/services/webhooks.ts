import type { Caller } from "../auth/caller.ts";
import { conflict, invalid, notFound } from "../model/errors.ts";
import { pageOf, type Page } from "../model/page.ts";
import type { WebhookDelivery } from "../model/webhook.ts";
import { CHANNELS } from "../storage/channels.ts";
import {
  countDeliveries,
  getDelivery,
  listDeliveries,
  replayDelivery,
  type DeliveryPage,
} from "../storage/webhook-deliveries.ts";
import type { ServiceDeps } from "./deps.ts";
import type { RunDeps } from "./run-deps.ts";

type Deps = Pick<ServiceDeps, "database">;

/** Throws 422 for a webhook that may not be called. */
export function requireWebhook(
  { webhooks }: Pick<RunDeps, "webhooks">,
  webhook: string | undefined,
  field = "webhook",
): void {
  if (webhook === undefined) return;
  const problem = webhooks.policy.problemWith(webhook);
  if (problem !== null) throw invalid(field, problem);
}

export async function listWebhookDeliveries(
  { database }: Deps,
  { access }: Caller,
  page: DeliveryPage,
): Promise<Page<WebhookDelivery>> {
  const [rows, total] = await Promise.all([
    listDeliveries(database, page, access),
    countDeliveries(database, page, access),
  ]);
  return pageOf(rows, { offset: page.offset, total });
}

/** Sends it once more, now. Throws 404, and 409 while it is being sent. */
export async function replayWebhookDelivery(
  { database }: Deps,
  { access }: Caller,
  deliveryId: string,
): Promise<WebhookDelivery> {
  const replayed = await database.transaction(async (tx) => {
    const delivery = await replayDelivery(tx, deliveryId, access);
    if (delivery !== null) return delivery;
    if ((await getDelivery(tx, deliveryId, access)) === null)
      throw notFound(`Webhook delivery ${deliveryId} not found`);
    throw conflict(`Webhook delivery ${deliveryId} is being sent right now`);
  });
  database.notify(CHANNELS.webhooks, replayed.run_id);
  return replayed;
}
