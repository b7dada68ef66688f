import { validateHeaderName, validateHeaderValue } from "node:http";
import { signingKey } from "../lib/webhook-signature.ts";
import {
  STANDARD_RULES,
  webhookPolicy,
  type WebhookRules,
} from "../model/webhook-policy.ts";
import { ConfigError } from "./config-error.ts";
import type { WebhookSettings } from "./config.ts";
import type { Env } from "./env.ts";
import { flag, text, texts, toSection, type Section } from "./sections.ts";
import { firstSource, wrong } from "./values.ts";

/** What langgraph.json says about webhooks; the variables of its headers are looked up later. */
export interface WebhookSection {
  isEnabled: boolean;
  rules: WebhookRules;
  headers: [name: string, template: string][];
  envPrefix: string;
  /** How messages call the file. */
  shown: string;
}

/** The file says nothing about them. */
export const NO_WEBHOOKS: WebhookSection = {
  isEnabled: true,
  rules: STANDARD_RULES,
  headers: [],
  envPrefix: "LG_WEBHOOK_",
  shown: "langgraph.json",
};

export function toWebhookSection(document: {
  webhooks: Section | null;
  http: Section | null;
  shown: string;
}): WebhookSection {
  const { webhooks, http, shown } = document;
  const part = (name: string) =>
    toSection(webhooks?.values[name], `webhooks.${name}`, shown);
  const url = part("url");
  const headers = part("headers");
  return {
    isEnabled: http === null || flag(http, "disable_webhooks") !== true,
    rules: url === null ? STANDARD_RULES : toRules(url),
    headers: headers === null ? [] : toTemplates(headers),
    envPrefix:
      (webhooks && text(webhooks, "env_prefix")) ?? NO_WEBHOOKS.envPrefix,
    shown,
  };
}

/** A rule that is misspelled protects nobody, so it is an error and no warning. */
function toRules(section: Section): WebhookRules {
  const known = Object.keys(STANDARD_RULES);
  const unknown = Object.keys(section.values).find(
    (key) => !known.includes(key),
  );
  if (unknown !== undefined)
    throw new ConfigError(
      `${section.key}.${unknown} is unknown; there are ${known.join(", ")}`,
    );
  const rules: WebhookRules = {
    require_https: flag(section, "require_https") ?? false,
    allowed_domains: texts(section, "allowed_domains"),
    allowed_ports: ports(section, "allowed_ports"),
    max_url_length: integer(section, "max_url_length", 65_536) ?? 65_536,
    disable_loopback: flag(section, "disable_loopback"),
    allowed_networks: texts(section, "allowed_networks") ?? [],
  };
  try {
    webhookPolicy(rules);
  } catch (cause) {
    throw new ConfigError(
      `${section.key}.allowed_networks: ${(cause as Error).message}`,
      { cause },
    );
  }
  return rules;
}

function ports({ key, values }: Section, name: string): number[] | null {
  const given = values[name] ?? null;
  if (given === null) return null;
  if (Array.isArray(given) && given.every(isPort)) return given;
  throw new ConfigError(`${key}.${name} must be a list of ports`);
}

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65_535;

function integer(
  { key, values }: Section,
  name: string,
  max: number,
): number | null {
  const value = values[name] ?? null;
  if (value === null) return null;
  if (Number.isInteger(value) && Number(value) > 0 && Number(value) <= max)
    return Number(value);
  throw new ConfigError(`${key}.${name} must be a whole number, 1 to ${max}`);
}

/** These are ours to say: the others would be overwritten, or break the request. */
const OURS =
  /^(webhook-.*|content-.*|host|connection|transfer-encoding|upgrade|te|trailer|expect|keep-alive)$/i;

function toTemplates({ key, values }: Section): [string, string][] {
  return Object.entries(values).map(([name, value]) => {
    if (typeof value !== "string")
      throw new ConfigError(`${key}.${name} must be text`);
    if (OURS.test(name) || !isFine(() => validateHeaderName(name)))
      throw new ConfigError(`${key}.${name} is no header that can be set here`);
    return [name, value];
  });
}

/** Throws a `ConfigError` for a variable that is missing, or that headers may not name. */
export function toWebhookSettings(
  section: WebhookSection,
  env: Env,
): WebhookSettings {
  const { isEnabled, rules, headers } = section;
  return {
    isEnabled,
    rules,
    headers: Object.fromEntries(
      headers.map(([name, template]) => [
        name,
        filledIn(section, name, { template, env }),
      ]),
    ),
    signingKeys: toSigningKeys(env),
  };
}

const VARIABLE = /\$\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

function filledIn(
  { shown, envPrefix }: WebhookSection,
  header: string,
  { template, env }: { template: string; env: Env },
): string {
  const place = `${shown}: webhooks.headers.${header}`;
  const value = template.replaceAll(VARIABLE, (_, name: string) => {
    if (!name.startsWith(envPrefix))
      throw new ConfigError(
        `${place} names ${name}, and may only name variables that start with ${envPrefix} (webhooks.env_prefix)`,
      );
    const found = env[name];
    if (found === undefined)
      throw new ConfigError(`${place} names ${name}, which is not set`);
    return found;
  });
  if (value.includes("${{"))
    throw new ConfigError(
      `${place} has a "\${{" that is not of the form \${{ env.NAME }}`,
    );
  if (!isFine(() => validateHeaderValue(header, value)))
    throw new ConfigError(`${place} has a character that no header may have`);
  return value;
}

function isFine(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

/** Several, separated by spaces, while one replaces the other. */
function toSigningKeys(env: Env): Buffer[] {
  const source = firstSource([
    "SPOOL_WEBHOOK_SECRET",
    env["SPOOL_WEBHOOK_SECRET"],
  ]);
  if (source === null) return [];
  return source.text
    .trim()
    .split(/\s+/)
    .map((secret) => {
      const key = signingKey(secret);
      if (key !== null) return key;
      throw wrong(
        { name: source.name, text: "…" }, // a secret is not for logs
        "whsec_ and at least 24 bytes in base64, like `whsec_$(openssl rand -base64 32)`",
      );
    });
}
