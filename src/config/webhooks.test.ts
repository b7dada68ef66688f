import { describe, expect, test } from "vitest";
import { STANDARD_RULES } from "../model/webhook-policy.ts";
import { ConfigError } from "./config-error.ts";
import type { Env } from "./env.ts";
import { toSection } from "./sections.ts";
import { toWebhookSection, toWebhookSettings } from "./webhooks.ts";

const shown = "langgraph.json";

function settings(webhooks: object, env: Env = {}, http: object | null = null) {
  const section = toWebhookSection({
    webhooks: toSection(webhooks, "webhooks", shown),
    http: toSection(http, "http", shown),
    shown,
  });
  return toWebhookSettings(section, env);
}

function problemWith(webhooks: object, env: Env = {}): string {
  try {
    settings(webhooks, env);
  } catch (cause) {
    expect(cause).toBeInstanceOf(ConfigError);
    return (cause as Error).message;
  }
  throw new Error("it was accepted");
}

test("nothing said is webhooks that are sent, unsigned, to public addresses", () => {
  expect(settings({})).toEqual({
    isEnabled: true,
    rules: STANDARD_RULES,
    headers: {},
    signingKeys: [],
  });
  expect(settings({}, {}, { disable_webhooks: true }).isEnabled).toBe(false);
});

test("the rules for URLs are read", () => {
  const url = {
    require_https: true,
    allowed_domains: ["*.example.com"],
    allowed_ports: [443],
    max_url_length: 200,
    disable_loopback: false,
    allowed_networks: ["10.0.0.0/8"],
  };
  expect(settings({ url }).rules).toEqual(url);
});

test.each([
  [
    { require_https: "yes" },
    "webhooks.url.require_https must be true or false",
  ],
  [{ allowed_domain: ["a"] }, "webhooks.url.allowed_domain is unknown"],
  [{ allowed_domains: "a" }, "webhooks.url.allowed_domains must be a list"],
  [{ allowed_ports: ["443"] }, "webhooks.url.allowed_ports must be a list"],
  [{ allowed_ports: [0] }, "webhooks.url.allowed_ports must be a list"],
  [{ max_url_length: 0 }, "webhooks.url.max_url_length must be a whole number"],
  [{ allowed_networks: ["10/8"] }, '"10/8" is no network'],
])("the rules %j are refused", (url, message) => {
  expect(problemWith({ url })).toContain(message);
});

describe("headers", () => {
  const headers = (value: string, env: Env = {}, more: object = {}) =>
    settings({ headers: { "X-Token": value }, ...more }, env).headers;

  test("take variables of the environment", () => {
    const env = { LG_WEBHOOK_A: "a", LG_WEBHOOK_B: "$& b" };
    expect(headers("plain")).toEqual({ "X-Token": "plain" });
    expect(
      headers("Bearer ${{ env.LG_WEBHOOK_A }}-${{env.LG_WEBHOOK_B}}", env),
    ).toEqual({ "X-Token": "Bearer a-$& b" });
    const prefix = { env_prefix: "HOOK_" };
    expect(headers("${{ env.HOOK_A }}", { HOOK_A: "x" }, prefix)).toEqual({
      "X-Token": "x",
    });
  });

  test.each([
    ["${{ env.LG_WEBHOOK_A }}", {}, "LG_WEBHOOK_A, which is not set"],
    ["${{ env.HOME }}", { HOME: "/" }, "start with LG_WEBHOOK_"],
    ["${{ secrets.A }}", {}, "not of the form"],
    ["${{ env.LG_WEBHOOK_A }}", { LG_WEBHOOK_A: "a\nb" }, "no header may have"],
  ])("%j with %j stops the start", (value, env, message) => {
    const found = problemWith({ headers: { "X-Token": value } }, env);
    expect(found).toContain(message);
    expect(found).toContain("webhooks.headers.X-Token");
  });

  test.each(["Webhook-Id", "content-type", "HOST", "a b", "transfer-encoding"])(
    "%s cannot be set",
    (name) => {
      expect(problemWith({ headers: { [name]: "x" } })).toContain(name);
    },
  );

  test("are text", () => {
    expect(problemWith({ headers: { a: 1 } })).toContain("must be text");
  });
});

describe("the secret", () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  const other = Buffer.alloc(24, 8).toString("base64");
  const keys = (text: string) =>
    settings({}, { SPOOL_WEBHOOK_SECRET: text }).signingKeys;

  test("may be two, while one replaces the other", () => {
    expect(keys(` ${secret}  ${other} `)).toEqual([
      Buffer.alloc(32, 7),
      Buffer.alloc(24, 8),
    ]);
    expect(keys("")).toEqual([]);
  });

  test.each(["short", "whsec_", "whsec_not base64!", "whsec_YWJj"])(
    "%s is refused, and not shown",
    (text) => {
      const found = problemWith({}, { SPOOL_WEBHOOK_SECRET: text });
      expect(found).toContain("SPOOL_WEBHOOK_SECRET");
      expect(found).not.toContain(text.replace("whsec_", "") || "?");
    },
  );
});
