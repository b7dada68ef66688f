import { RefusedAddressError, postJson } from "../lib/post-json.ts";
import { signatureOf } from "../lib/webhook-signature.ts";
import { VERSION } from "../lib/package-version.ts";
import { isOwnPath, type WebhookPolicy } from "../model/webhook-policy.ts";
import type { ClaimedDelivery } from "../storage/webhook-outbox.ts";

export interface AttemptDeps {
  policy: WebhookPolicy;
  /** `webhooks.headers` of langgraph.json. */
  headers: Readonly<Record<string, string>>;
  /** Each signs; none: nothing is signed. */
  signingKeys: readonly Buffer[];
  /** Where paths of this server lead. */
  ownUrl: () => string | null;
}

export type AttemptOutcome =
  | { kind: "delivered"; status: number }
  | {
      kind: "failed";
      status: number | null;
      error: string;
      /** Another attempt would be of no use. */
      isFinal: boolean;
      /** What the receiver has asked for. */
      retryAfterMs: number;
    };

const MAX_REDIRECTS = 3;

/** These keep method and body; the others make a GET of it, which tells nobody anything. */
const REDIRECTS = [307, 308];

/** The receiver wants no more of them. */
const GONE = 410;

/** Sends a delivery once, over redirects if need be. The signal is the end of its time. Never rejects. */
export async function attempt(
  deps: AttemptDeps,
  delivery: ClaimedDelivery,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  try {
    const { status, retryAfter } = await follow(deps, delivery, signal);
    if (status >= 200 && status < 300) return { kind: "delivered", status };
    return {
      kind: "failed",
      status,
      error: `the receiver answered ${status}`,
      isFinal: status === GONE,
      retryAfterMs: retryAfterMs(retryAfter),
    };
  } catch (cause) {
    return {
      kind: "failed",
      status: null,
      error: reason(cause),
      isFinal: cause instanceof RefusedAddressError,
      retryAfterMs: 0,
    };
  }
}

async function follow(
  deps: AttemptDeps,
  delivery: ClaimedDelivery,
  signal: AbortSignal,
): ReturnType<typeof postJson> {
  const { policy } = deps;
  const body = bodyOf(delivery);
  let isOwn = isOwnPath(delivery.url);
  let url = isOwn ? ownUrlOf(deps, delivery) : new URL(delivery.url);
  let headers = deps.headers;
  for (let hop = 0; ; hop += 1) {
    const problem = isOwn ? null : policy.problemWithUrl(url);
    if (problem !== null) throw new RefusedAddressError(`the URL ${problem}`);
    const answer = await postJson({
      url,
      headers: {
        "user-agent": `spool/${VERSION}`,
        ...headers,
        ...standardHeaders(deps, delivery, body),
      },
      body,
      problemWithAddress: isOwn ? () => null : policy.problemWithAddress,
      signal,
    });
    if (!REDIRECTS.includes(answer.status) || answer.location === null)
      return answer;
    if (hop === MAX_REDIRECTS) throw new Error("too many redirects");
    const next = redirected(url, answer.location);
    // What was meant for one receiver, like a token, is not for another.
    if (next.origin !== url.origin) headers = {};
    isOwn &&= next.origin === url.origin;
    url = next;
  }
}

function ownUrlOf({ ownUrl }: AttemptDeps, { url }: ClaimedDelivery): URL {
  const own = ownUrl();
  if (own === null) throw new Error("this server does not listen");
  return new URL(url, own);
}

function redirected(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href))
    throw new Error("the receiver redirected to something that is no URL");
  const to = new URL(location, from);
  if (from.protocol === "https:" && to.protocol !== "https:")
    throw new RefusedAddressError(
      "the receiver redirected from https to what anybody can read",
    );
  return to;
}

const bodyOf = ({ payload }: ClaimedDelivery): string =>
  JSON.stringify({ ...payload, webhook_sent_at: new Date().toISOString() });

/** By the Standard Webhooks specification. The id is the same for all attempts. */
function standardHeaders(
  { signingKeys }: AttemptDeps,
  { delivery_id: id }: ClaimedDelivery,
  body: string,
): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1000);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    ...(signingKeys.length === 0
      ? {}
      : {
          "webhook-signature": signatureOf(signingKeys, {
            id,
            timestamp,
            body,
          }),
        }),
  };
}

/** Seconds; a date is not taken. */
const retryAfterMs = (text: string | null): number =>
  text !== null && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : 0;

function reason(cause: unknown): string {
  const error = cause as NodeJS.ErrnoException;
  if (error.name === "AbortError") return "the receiver did not answer in time";
  // Several addresses were tried: the error itself says nothing.
  if (cause instanceof AggregateError)
    return (cause.errors as Error[]).map(({ message }) => message).join("; ");
  return error.message;
}
