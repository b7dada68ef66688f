import { isObject } from "../lib/json.ts";
import { nearest } from "../lib/nearest.ts";

/** Read, or rightly ignored: they are about Python or about building images. */
const SILENT = [
  "$schema",
  "graphs",
  "env",
  "node_version",
  "node_loader",
  "dependencies",
  "python_version",
  "source",
  "pip_config_file",
  "pip_installer",
  "keep_pkg_tools",
  "dockerfile_lines",
  "docker_compose_file",
  "base_image",
  "image_distro",
  "api_version",
  "_INTERNAL_docker_tag",
  "checkpointer",
  "store",
  "http",
  "webhooks",
];

/** Known, and not served by this version. */
const NOT_SERVED = ["ui", "ui_config", "disable_persistence"];

/** Sections of which this version serves only a part. */
const SERVED_PARTS: Record<string, string[]> = {
  checkpointer: ["ttl"],
  http: [
    "cors",
    "configurable_headers",
    "configurable-headers",
    "disable_assistants",
    "disable_threads",
    "disable_runs",
    "disable_store",
    "disable_meta",
    "disable_webhooks",
  ],
  webhooks: ["env_prefix", "headers", "url"],
  store: ["ttl", "index"],
};

/** Keys that protect something: a server that ignores them must say so loudly, or not start. */
export const PROTECTIVE_KEYS = ["auth", "encryption"];

export const KNOWN_KEYS = [...SILENT, ...NOT_SERVED, ...PROTECTIVE_KEYS];

/** One sentence for each key that will not do what its author hopes for. */
export function keyWarnings(
  document: Record<string, unknown>,
  shown: string,
): string[] {
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(document)) {
    if (NOT_SERVED.includes(key)) warnings.push(notServed(shown, key));
    else if (!KNOWN_KEYS.includes(key)) warnings.push(unknownKey(shown, key));
    const parts = SERVED_PARTS[key];
    if (parts === undefined || !isObject(value)) continue;
    for (const part of Object.keys(value))
      if (!parts.includes(part))
        warnings.push(notServed(shown, `${key}.${part}`));
  }
  return warnings;
}

const notServed = (shown: string, key: string): string =>
  `${shown}: ${key} is not served by this version and has no effect`;

function unknownKey(shown: string, key: string): string {
  const meant = nearest(key, KNOWN_KEYS);
  const hint = meant === null ? "" : `; did you mean "${meant}"?`;
  return `${shown}: unknown key "${key}"${hint}`;
}
