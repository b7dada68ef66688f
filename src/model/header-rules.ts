/** Which headers of a request its graph may see, as patterns: a name, in which `*` stands for anything. */
export interface HeaderRules {
  includes: string[];
  /** They win. */
  excludes: string[];
}

/** What graphs see is stored with the run and its checkpoints, where everybody who sees those can read it. */
export const SECRET_HEADERS: readonly string[] = [
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-api-key",
  "x-service-key",
  "x-tenant-id",
];

/** A filter of headers by lower-case name. Without rules nothing passes. */
export function headerFilter(
  rules: HeaderRules | null,
): (
  headers: Readonly<Record<string, string>>,
) => Readonly<Record<string, string>> {
  if (rules === null) return () => NONE;
  const isIncluded = anyOf(rules.includes);
  const isExcluded = anyOf([...rules.excludes, ...SECRET_HEADERS]);
  return (headers) =>
    Object.fromEntries(
      Object.entries(headers)
        .map(([name, value]) => [name.toLowerCase(), value] as const)
        .filter(([name]) => isIncluded(name) && !isExcluded(name)),
    );
}

const NONE = {};

function anyOf(patterns: readonly string[]): (name: string) => boolean {
  const tests = patterns.map((pattern) => {
    const parts = pattern.split("*").map(escaped);
    return new RegExp(`^${parts.join(".*")}$`, "i");
  });
  return (name) => tests.some((test) => test.test(name));
}

const escaped = (text: string): string =>
  text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
