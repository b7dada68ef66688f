/** Names are looked up by the system, and `localhost` is one that leads to this machine everywhere. */
import { isIP } from "node:net";
import { expect, test } from "vitest";
import { postJson, RefusedAddressError } from "../../src/lib/post-json.ts";
import {
  STANDARD_RULES,
  webhookPolicy,
} from "../../src/model/webhook-policy.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const post = (
  url: string,
  problemWithAddress: (address: string) => string | null,
) =>
  postJson({
    url: new URL(url),
    headers: {},
    body: "{}",
    problemWithAddress,
    signal: AbortSignal.timeout(5000),
  });

test("the addresses that a name leads to are checked when it is connected to", async () => {
  const receiver = await startReceiver();
  const url = `http://localhost:${receiver.port}/`;
  const { problemWithAddress } = webhookPolicy(STANDARD_RULES);
  await expect(post(url, problemWithAddress)).rejects.toThrow(
    RefusedAddressError,
  );
  await expect(post(url, problemWithAddress)).rejects.toThrow(/not public/);
  expect(receiver.calls).toEqual([]);

  const asked: string[] = [];
  const answer = await post(url, (address) => {
    asked.push(address);
    return null;
  });
  expect(answer.status).toBe(200);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.every((address) => isIP(address) !== 0)).toBe(true);
});

test("of several addresses only those that are allowed are connected to", async () => {
  const receiver = await startReceiver();
  const url = `http://localhost:${receiver.port}/`;
  const answer = await post(url, (address) => (isIP(address) === 6 ? "is not wanted" : null)); // prettier-ignore
  expect(answer.status).toBe(200);
});
