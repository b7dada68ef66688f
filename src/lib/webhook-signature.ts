import { createHmac } from "node:crypto";

/*
 * Standard Webhooks, https://www.standardwebhooks.com: what is signed is
 * `id.timestamp.body`, and a receiver checks it with the secret that both know.
 */

const PREFIX = "whsec_";

/** The spec's least: 192 bits. */
const MIN_BYTES = 24;

/** The key in a secret like `whsec_<base64>`; null when there is none, or a short one. */
export function signingKey(secret: string): Buffer | null {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const key = Buffer.from(text, "base64");
  return key.length < MIN_BYTES ? null : key;
}

/** The value of the header `webhook-signature`: one signature per key, so that a secret can be replaced while both are valid. */
export function signatureOf(
  keys: readonly Buffer[],
  { id, timestamp, body }: { id: string; timestamp: number; body: string },
): string {
  return keys
    .map((key) => {
      const hmac = createHmac("sha256", key).update(
        `${id}.${timestamp}.${body}`,
      );
      return `v1,${hmac.digest("base64")}`;
    })
    .join(" ");
}
