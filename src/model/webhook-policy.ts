import { isIP } from "node:net";
import { isPublicAddress, Networks } from "../lib/networks.ts";
import { isStorable } from "../lib/storable.ts";

/** What langgraph.json says about where webhooks may go. */
export interface WebhookRules {
  require_https: boolean;
  /** `example.com`, or `*.example.com` for what is below it; null: any. */
  allowed_domains: string[] | null;
  allowed_ports: number[] | null;
  max_url_length: number;
  /** True: neither to paths of this server nor to addresses of this machine. False: to both. Null: to paths of this server only. */
  disable_loopback: boolean | null;
  /** Networks that are not public, and yet may be called. */
  allowed_networks: string[];
}

export const STANDARD_RULES: WebhookRules = {
  require_https: false,
  allowed_domains: null,
  allowed_ports: null,
  max_url_length: 65_536,
  disable_loopback: null,
  allowed_networks: [],
};

const LOOPBACK = ["127.0.0.0/8", "::1"];

/** Each answers what is wrong, as the end of a sentence; null when nothing is. */
export interface WebhookPolicy {
  /** Of what a client has asked for: a URL, or a path of this server. */
  problemWith(target: string): string | null;
  /** Of a URL that is about to be called, by whatever way it was found. */
  problemWithUrl(url: URL): string | null;
  /** Of an address that is about to be connected to. */
  problemWithAddress(address: string): string | null;
}

/** Throws a `RangeError` when one of the networks is none. */
export function webhookPolicy(rules: WebhookRules): WebhookPolicy {
  const networks = new Networks([
    ...(rules.disable_loopback === false ? LOOPBACK : []),
    ...rules.allowed_networks,
  ]);
  const problemWithAddress = (address: string) =>
    isPublicAddress(address) || networks.has(address)
      ? null
      : `must not lead to the address ${address}, which is not public (webhooks.url in langgraph.json may allow it)`;
  const problemWithUrl = (url: URL) =>
    problemWithParts(rules, url) ??
    (isAddress(url) ? problemWithAddress(bare(url.hostname)) : null);
  return {
    problemWithAddress,
    problemWithUrl,
    problemWith: (target) => {
      if (target.length > rules.max_url_length)
        return `must have at most ${rules.max_url_length} characters`;
      if (!isStorable(target) || /\p{Cc}/u.test(target))
        return "must not contain control characters or half surrogate pairs";
      if (isOwnPath(target)) return problemWithOwnPath(rules);
      if (URL.canParse(target)) return problemWithUrl(new URL(target));
      return "must be a URL like https://example.com/hook, or a path like /hook of this server";
    },
  };
}

/** Whether it is a path of this server. `//host`, `/\host` and the like are hosts to a browser, and so to us. */
export const isOwnPath = (target: string): boolean =>
  target.startsWith("/") &&
  URL.canParse(target, NOWHERE) &&
  new URL(target, NOWHERE).origin === NOWHERE;

const NOWHERE = "http://nowhere.invalid";

const problemWithOwnPath = ({ disable_loopback }: WebhookRules) =>
  disable_loopback === true
    ? "must not be a path of this server (webhooks.url.disable_loopback in langgraph.json)"
    : null;

function problemWithParts(rules: WebhookRules, url: URL): string | null {
  const { allowed_domains, allowed_ports } = rules;
  if (!["http:", "https:"].includes(url.protocol))
    return `must be a URL of http or https, not of ${url.protocol.slice(0, -1)}`;
  if (url.href.length > rules.max_url_length)
    return `must have at most ${rules.max_url_length} characters`;
  if (rules.require_https && url.protocol !== "https:")
    return "must be a URL of https (webhooks.url.require_https in langgraph.json)";
  const host = bare(url.hostname);
  if (rules.disable_loopback !== false && isThisMachine(host))
    return `must not go to ${host}, which is this machine (webhooks.url.disable_loopback in langgraph.json)`;
  if (allowed_domains !== null && !allowed_domains.some(covers(host)))
    return `must not go to ${host}, which is not in webhooks.url.allowed_domains of langgraph.json`;
  const port = portOf(url);
  if (allowed_ports !== null && !allowed_ports.includes(port))
    return `must not go to port ${port}, which is not in webhooks.url.allowed_ports of langgraph.json`;
  return null;
}

const portOf = ({ port, protocol }: URL): number =>
  port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);

/** The apex itself is not below `*.`. */
const covers =
  (host: string) =>
  (domain: string): boolean => {
    const name = domain.toLowerCase();
    return name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name;
  };

/** Said early what the address would say later. */
const isThisMachine = (host: string): boolean =>
  /^(.+\.)?localhost$/.test(host);

const isAddress = ({ hostname }: URL): boolean => isIP(bare(hostname)) !== 0;

/** Without the brackets of IPv6, and the dot that ends a full name. */
const bare = (hostname: string): string =>
  hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
