import { describe, expect, test } from "vitest";
import {
  STANDARD_RULES,
  webhookPolicy,
  type WebhookRules,
} from "./webhook-policy.ts";

const problem = (target: string, rules: Partial<WebhookRules> = {}) =>
  webhookPolicy({ ...STANDARD_RULES, ...rules }).problemWith(target);

describe("unless it is said otherwise", () => {
  test.each([
    "https://example.com/hook?a=1",
    "http://example.com:8080",
    "https://user:secret@example.com/hook",
    "https://1.1.1.1/hook",
    "/custom/hook?a=1",
  ])("%s may be called", (target) => {
    expect(problem(target)).toBeNull();
  });

  test.each([
    ["http://localhost:9/hook", "this machine"],
    ["http://a.localhost/hook", "this machine"],
    ["http://127.0.0.1:9/hook", "127.0.0.1"],
    ["http://2130706433/", "127.0.0.1"],
    ["http://0x7f.1/", "127.0.0.1"],
    ["http://0/", "0.0.0.0"],
    ["http://127.0.0.1./", "127.0.0.1"],
    ["http://[::1]/", "::1"],
    ["http://[::ffff:127.0.0.1]/", "::ffff:7f00:1"],
    ["http://169.254.169.254/latest/meta-data", "169.254.169.254"],
    ["http://10.0.0.1/", "10.0.0.1"],
    ["ftp://example.com/", "not of ftp"],
    ["file:///etc/passwd", "not of file"],
    ["javascript:alert(1)", "not of javascript"],
    ["hook", "must be a URL"],
    ["http://", "must be a URL"],
    ["//example.com/hook", "must be a URL"],
    ["/\\example.com/hook", "must be a URL"],
    ["/\t/example.com/hook", "control characters"],
    ["https://example.com/\0", "control characters"],
    ["https://example.com/\ud800", "half surrogate"],
    [`/${"x".repeat(65_536)}`, "at most 65536 characters"],
  ])("%s is refused", (target, reason) => {
    expect(problem(target)).toContain(reason);
  });
});

test("loopback is opened and closed by one rule", () => {
  const open = { disable_loopback: false };
  expect(problem("http://127.0.0.1:9/", open)).toBeNull();
  expect(problem("http://[::1]:9/", open)).toBeNull();
  expect(problem("http://localhost:9/", open)).toBeNull();
  expect(problem("http://10.0.0.1/", open)).toContain("10.0.0.1");
  const closed = { disable_loopback: true };
  expect(problem("/hook", closed)).toContain("path of this server");
  expect(problem("http://127.0.0.1:9/", closed)).toContain("127.0.0.1");
});

test("a private network can be opened", () => {
  const rules = { allowed_networks: ["10.1.0.0/16"] };
  expect(problem("http://10.1.2.3/", rules)).toBeNull();
  expect(problem("http://10.2.2.3/", rules)).toContain("10.2.2.3");
});

test("https can be required, of URLs and not of paths of this server", () => {
  const rules = { require_https: true };
  expect(problem("http://example.com/", rules)).toContain("https");
  expect(problem("https://example.com/", rules)).toBeNull();
  expect(problem("/hook", rules)).toBeNull();
});

test("domains are exact, or all that is below one", () => {
  const rules = { allowed_domains: ["example.com", "*.Hooks.example.org"] };
  expect(problem("https://EXAMPLE.com/", rules)).toBeNull();
  expect(problem("https://example.com./", rules)).toBeNull();
  expect(problem("https://a.b.hooks.example.org/", rules)).toBeNull();
  for (const host of [
    "sub.example.com",
    "hooks.example.org",
    "evilhooks.example.org",
    "example.com.evil.net",
    "1.1.1.1",
  ])
    expect(problem(`https://${host}/`, rules)).toContain(host);
});

test("ports can be named, the usual ones among them", () => {
  const rules = { allowed_ports: [443, 8443] };
  expect(problem("https://example.com/", rules)).toBeNull();
  expect(problem("https://example.com:8443/", rules)).toBeNull();
  expect(problem("http://example.com/", rules)).toContain("port 80");
});

test("a URL can be too long", () => {
  expect(problem("https://example.com/abc", { max_url_length: 20 })).toContain(
    "at most 20 characters",
  );
});
